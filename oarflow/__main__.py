"""`python -m oarflow`: the same as the command `oarflow`."""

import sys

from oarflow.commands import main

if __name__ == "__main__":
    sys.exit(main())
