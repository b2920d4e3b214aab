"""Carried out by a Python that has nnunetv2: predicts one image, as nnU-Net does by default.

Arguments: result folder, image, where the label map goes without its ending, names of the folds.
The last line of the output is nnunetv2's version.
"""

import sys
from importlib.metadata import version

import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor  # type: ignore[import-not-found]


def main() -> None:
    folder, image, output, *folds = sys.argv[1:]
    cuda = torch.cuda.is_available()
    predictor = nnUNetPredictor(
        perform_everything_on_device=cuda,
        device=torch.device("cuda" if cuda else "cpu"),
        allow_tqdm=False,
    )
    used = tuple(int(fold) if fold.isdecimal() else fold for fold in folds)
    predictor.initialize_from_trained_model_folder(folder, used, "checkpoint_final.pth")
    predictor.predict_from_files_sequential([[image]], [output])
    sys.stdout.write(version("nnunetv2") + "\n")


if __name__ == "__main__":
    main()
