#!/usr/bin/env bash
# Other readers of RTSTRUCT, each in a virtual environment of its own under .venvs: they cannot live
# together (two builds of OpenCV, pydicom below 3). Tests that need one skip where it is absent.
set -euo pipefail
cd "$(dirname "$0")/../.."
python="${PYTHON:-python3.11}"

make_environment() {
    local name="$1"
    shift
    [ -e ".venvs/$name/.complete" ] && return
    "$python" -m venv ".venvs/$name"
    ".venvs/$name/bin/python" -m pip install -q "$@"
    touch ".venvs/$name/.complete"
}

make_environment rt-utils \
    rt-utils==1.2.7 numpy==2.4.6 pydicom==3.0.2 opencv-python==5.0.0.93
# pydicom 3 took away the read_file that dcmrtstruct2nii calls (its issue 51).
make_environment dcmrtstruct2nii \
    dcmrtstruct2nii==5 pydicom==2.4.5 numpy==2.4.6 SimpleITK==2.5.7 scikit-image==0.26.0
make_environment dicomrttool \
    DicomRTTool==6.2.0 numpy==2.4.6 pydicom==3.0.2 opencv-python-headless==5.0.0.93
