"""`python3 /opt/holoscan/app`: in the image this file is /opt/holoscan/app/__main__.py."""

import sys

from app.__main__ import main

sys.exit(main())
