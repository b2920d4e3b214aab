"""nnunetv2's inference on a CT of full size. Runs in nnunetv2's environment, without oarflow.

Argument and output are those of imported_run; the box is not read. The first tiles alone run the
network: later ones get logits of 0, and everything around them is done.
"""

import json
import resource
import sys
import time

import numpy as np
import torch
from nnunetv2.inference.export_prediction import (  # type: ignore[import-not-found]
    convert_predicted_logits_to_segmentation_with_correct_shape,
)
from nnunetv2.inference.predict_from_raw_data import (  # type: ignore[import-not-found]
    nnUNetPredictor,
)
from nnunetv2.utilities.get_network_from_plans import (  # type: ignore[import-not-found]
    get_network_from_plans,
)
from nnunetv2.utilities.plans_handling.plans_handler import (  # type: ignore[import-not-found]
    PlansManager,
)


class FirstTiles(torch.nn.Module):
    """Runs the first tiles; later ones are 0."""

    def __init__(self, network: torch.nn.Module, heads: int, tiles: int) -> None:
        super().__init__()
        self.network = network
        self.heads, self.tiles = heads, tiles
        self.moments: list[tuple[float, float]] = []
        self.calls = 0

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        if self.calls <= self.tiles:
            self.moments.append((time.perf_counter(), time.process_time()))
        self.calls += 1
        if self.calls > self.tiles:
            return torch.zeros((1, self.heads, *image.shape[2:]))
        return self.network(image)  # type: ignore[no-any-return]


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:  # noqa: PTH123 - as in any other program
        task = json.load(file)
    plans = PlansManager(task["plans"])
    configuration = plans.get_configuration("3d_fullres")
    network = FirstTiles(
        get_network_from_plans(
            configuration.network_arch_class_name,
            configuration.network_arch_init_kwargs,
            configuration.network_arch_init_kwargs_req_import,
            1,
            task["heads"],
            deep_supervision=False,
        ),
        task["heads"],
        task["tiles"],
    ).eval()
    labels = {"background": 0, **{f"label{value}": value for value in range(1, task["heads"])}}
    data = {"channel_names": {"0": "CT"}, "labels": labels, "file_ending": ".nii.gz"}
    predictor = nnUNetPredictor(
        use_mirroring=False,
        perform_everything_on_device=False,
        device=torch.device("cpu"),
        allow_tqdm=False,
    )
    predictor.manual_initialization(network, plans, configuration, None, data, "random", None)
    image = np.full((1, *task["shape"]), 40.0, dtype=np.float32)
    started = (time.perf_counter(), time.process_time())
    preprocessor = configuration.preprocessor_class(verbose=False)
    facts = {"spacing": task["spacing_mm"]}
    values, _, facts = preprocessor.run_case_npy(image, None, facts, plans, configuration, data)
    logits = predictor.predict_sliding_window_return_logits(torch.from_numpy(values))
    convert_predicted_logits_to_segmentation_with_correct_shape(
        logits,
        plans,
        configuration,
        plans.get_label_manager(data),
        facts,
        num_threads_torch=torch.get_num_threads(),
    )
    ended = (time.perf_counter(), time.process_time())
    tiles = np.diff(network.moments, axis=0)
    other = np.subtract(ended, started) - tiles.sum(axis=0)
    wall, processor = tiles[1:].T.tolist()
    found = {
        "tile_seconds": wall,
        "tile_processor": processor,
        "other_seconds": float(other[0]),
        "other_processor": float(other[1]),
        "needed": network.calls,
        "peak_memory_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }
    sys.stdout.write("\n" + json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
