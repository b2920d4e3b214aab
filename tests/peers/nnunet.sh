#!/usr/bin/env bash
# nnunetv2 in .venvs/nnunet: imported networks are compared with it. torch comes first and alone, so
# that no other package can bring in another build of it. TORCH_INDEX: where torch comes from.
set -euo pipefail
cd "$(dirname "$0")/../.."
place=.venvs/nnunet
[ -e "$place/.complete" ] && exit
"${PYTHON:-python3.11}" -m venv "$place"
python="$place/bin/python"
"$python" -m pip install -q ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch==2.13.0
"$python" -m pip install -q torch==2.13.0 nnunetv2==2.8.1
# A torchvision of another build than torch's cannot be imported, and nnunetv2 needs none of it.
if ! "$python" -c 'import torchvision' 2>/dev/null; then
    "$python" -m pip uninstall -q -y torchvision
    cp tests/peers/torchvision_stub.py \
        "$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/torchvision.py"
fi
touch "$place/.complete"
