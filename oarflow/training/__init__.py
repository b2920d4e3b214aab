"""Training of localizers and organ networks; nothing in serving imports it."""

import warnings

from oarflow.runtime import preload_cuda_runtime

preload_cuda_runtime()
# MONAI imports all of it that is installed; the deployment SDK then warns of a small stack.
warnings.filterwarnings("ignore", "Current stack size", RuntimeWarning)
