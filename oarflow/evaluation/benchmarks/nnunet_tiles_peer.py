"""nnunetv2's predictor on a crop of some tiles. Runs in nnunetv2's environment, without oarflow.

Arguments and output are those of imported_tiles, without the precision.
"""

import json
import resource
import sys
import time
from itertools import pairwise

import torch
from nnunetv2.inference.predict_from_raw_data import (  # type: ignore[import-not-found]
    nnUNetPredictor,
)
from nnunetv2.utilities.get_network_from_plans import (  # type: ignore[import-not-found]
    get_network_from_plans,
)
from nnunetv2.utilities.plans_handling.plans_handler import (  # type: ignore[import-not-found]
    PlansManager,
)


def main() -> None:
    path, heads, tiles = sys.argv[1:]
    plans = PlansManager(path)
    configuration = plans.get_configuration("3d_fullres")
    network = get_network_from_plans(
        configuration.network_arch_class_name,
        configuration.network_arch_init_kwargs,
        configuration.network_arch_init_kwargs_req_import,
        1,
        int(heads),
        deep_supervision=False,
    ).eval()
    labels = {"background": 0, **{f"label{value}": value for value in range(1, int(heads))}}
    data = {"channel_names": {"0": "CT"}, "labels": labels, "file_ending": ".nii.gz"}
    predictor = nnUNetPredictor(
        use_mirroring=False,
        perform_everything_on_device=False,
        device=torch.device("cpu"),
        allow_tqdm=False,
    )
    predictor.manual_initialization(network, plans, configuration, None, data, "random", None)
    moments = []
    network.register_forward_pre_hook(lambda *_: moments.append(time.perf_counter()))
    z, y, x = configuration.patch_size
    image = torch.randn(1, z + z // 2 * int(tiles), y, x)
    predictor.predict_sliding_window_return_logits(image)
    moments.append(time.perf_counter())
    seconds = [after - before for before, after in pairwise(moments)][1:]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    sys.stdout.write("\n" + json.dumps({"seconds": seconds, "peak_memory_gb": peak}) + "\n")


if __name__ == "__main__":
    main()
