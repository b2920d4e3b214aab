"""Every limit and tolerance of the intake, with its unit and its reason."""

from __future__ import annotations

MAX_FILES = 100_000
"""Most files in one input folder."""

MAX_ARCHIVE_BYTES = 4 * 2**30
"""Greatest total size of a zip archive's unpacked files, in bytes: twice the stored values of a
volume of MAX_VOXELS."""

MAX_ARCHIVE_RATIO = 100
"""Greatest compression ratio of a zip archive. CTs reach 2 to 10."""

MAX_DIRECTORY_BYTES = 400 * MAX_FILES
"""Greatest size in bytes of a zip archive's list of members, which is kept in memory."""

MAX_FILE_BYTES = 512 * 2**20
"""Greatest size, in bytes, of a file whose pixels are read, and of a header."""

MAX_HEADER_BYTES = 64 * 2**20
"""Greatest size, in bytes, of one header value that is read into memory."""

MAX_HEADER_READS = 1_000_000
"""Most read operations for one header. An enhanced CT of 2000 frames needs a quarter of them."""

MAX_INFLATED_BYTES = 256 * 2**20
"""Greatest size, in bytes, of a deflated data set once inflated."""

MAX_FRAGMENTS = 65_536
"""Most fragments of one encapsulated image."""

MAX_MATRIX = 4096
"""Most rows, and most columns, of a slice."""

MAX_SLICES = 5000
"""Most slices of a series."""

MAX_VOXELS = 2**30
"""Most voxels of a volume: 4 GiB as float32."""

MIN_MATRIX = 16
"""Fewest rows, and fewest columns, of a slice."""

MIN_SLICES = 10
"""Fewest slices of a planning CT, unless the settings say otherwise."""

MIN_SPACING_MM, MAX_SPACING_MM = 0.05, 20.0
"""Range of the pixel spacing of a patient's CT, in mm."""

MAX_POSITION_MM = 1e5
"""Greatest coordinate of a slice, in mm."""

MAX_RESCALE = 1e5
"""Greatest size of Rescale Slope (HU per stored value) and Rescale Intercept (HU)."""

MAX_OBLIQUE_DEGREES = 1.0
"""Default of the greatest angle between the slices' axes and the patient's, in degrees. Few
planning systems accept more."""

UNIT_TOLERANCE = 5e-4
"""Greatest deviation of a written direction's length from 1, and of the right angle's cosine from
0. Some scanners write four decimals, which stay below it."""

PARALLEL_TOLERANCE = 1e-4
"""Greatest difference of a direction cosine within a series: 0.05 mm over a slice of 500 mm."""

SPACING_TOLERANCE = 1e-4
"""Greatest relative difference of pixel spacing within a series."""

SAME_POSITION_MM = 0.01
"""Slices closer than this along the normal, in mm, lie at the same position."""

EQUAL_STEP = 0.01
"""Slice distances that differ by at most this fraction are equal."""

STEP_ROUNDING_MM = 0.02
"""Slice distances that differ by at most this, in mm, are equal: positions with two decimals."""

RUN_STEPS, END_RUN_STEPS = 5, 3
"""Number of equal slice distances, in the stack and at its ends, that make regular spacing."""

GAP_FACTOR = 1.5
"""A slice distance above this multiple of its neighbours' is a gap."""

TILT_AGREEMENT_DEGREES = 1.0
"""Greatest difference, in degrees, between Gantry/Detector Tilt and the orientation's angle."""

MIN_TILT_DEGREES = 0.1
"""A Gantry/Detector Tilt up to this, in degrees, is ignored."""

MAX_SEAM_HU = 200.0
"""Greatest median step, in HU, of masked values at the borders of undeclared bits above High Bit.
Below graphics the image continues; values that overflow their bits restart at zero."""

MAX_GRAPHICS_SHARE = 0.01
"""Greatest share of a slice for undeclared graphics, which are lines and letters. Larger areas may
be tissue whose values overflow their bits."""

SIGN_STEP_FACTOR = 1.5
"""Least ratio of the median steps at zero of unsigned and of signed values without copies of their
sign. In 12 bits, skin beside air steps by 1040 of 4096."""

AIR_HU = -1024.0
"""HU of padding and of all lower values: outside the reconstruction circle."""

PADDING_BELOW_HU, PADDING_ABOVE_HU = -900.0, 4000.0
"""A padding value between these HU would hide tissue and is not treated as padding."""

AIR_BELOW_HU = -500.0
"""Voxels below this HU are air, lung or masked background."""

MIN_AIR_FRACTION = 2e-4
"""Least share of air in a volume: every head and neck has an airway and is surrounded by air."""

TISSUE_HU = (-250.0, 250.0)
"""Voxels in this range of HU are fat, water or soft tissue."""

MIN_TISSUE_FRACTION, MIN_TISSUE_OF_KNOWN = 0.01, 0.3
"""Least share of soft tissue in a volume, and, if nearly all is masked, in the voxels above -1024
HU."""

DENSE_HU, MAX_DENSE_FRACTION = 700.0, 0.15
"""Least HU of dense bone and metal, and their greatest share of the voxels above air if no voxel is
between air and tissue. More shows padding beside stored values without rescale."""

MIN_TISSUE_OF_NEIGHBOURS, JUDGED_TISSUE_FRACTION = 0.2, 0.01
"""A slice inside the stack is wrong if it has less than the first share of its neighbours' soft
tissue, and soft tissue is at least the second share of these neighbours' voxels."""

MAX_JUMP_HU = 350.0
"""Greatest median difference between neighbouring slices, in HU. More shows a lost rescale."""

BLANK_SLICE_HU = -900.0
"""A slice with a single value up to this HU is masked background."""

PEAKS_HU = (-450.0, 750.0)
"""Range in HU, between lung and dense bone, in which the peaks of fat and soft tissue are searched.
The scale may be wrong by some hundred HU."""

PEAK_BLUR_HU = 20.0
"""Standard deviation, in HU, of the smoothing of the histogram."""

PEAK_SHARE = 0.3
"""Least height of a peak of fat or soft tissue, as a share of the highest peak."""

SOFT_PEAK_HU = (-70.0, 140.0)
"""Allowed range of the soft tissue's peak, in HU. In 170 training patients it is at 15 to 65; the
margin allows for contrast medium, kernels and 25 HU between scanners."""

COMPARED_SIDE = 128
"""Neighbouring slices are compared on about this many rows and columns."""

COMPARED_HU = (-1000.0, 300.0)
"""HU are clipped to this range before slices are compared, to limit metal and its streaks."""

COMPARED_FRACTION = 0.01
"""Least share of voxels with values in both slices for a comparison."""

JUMP_FLOOR_HU = 8.0
"""Least mean difference in HU; smaller ones are raised to it, because they are noise."""

JUMP_REACH = 5
"""Number of steps before and after a step that it is compared with."""

THIN_STEP_MM = 4.0
"""Up to this slice distance in mm, the first limit of each pair below applies; beyond it the
second, because neighbours are less similar."""

MAX_UNLIKE = (1.3, 1.7)
"""Greatest ratio of a slice's difference from either neighbour to the difference between these
neighbours. docs/results/gate.md has the worst values of 170 training patients."""

NOTED_UNLIKE = 1.05
"""The same ratio for a remark, for thin slices only. Two exchanged neighbours hardly exceed it."""

MAX_FLIPPED = (1.5, 1.9)
"""Greatest ratio of two neighbours' difference to their difference after mirroring one of them."""

MAX_JUMP_RATIO = (3.0, 4.0)
"""Greatest ratio of a difference between neighbours to the differences around it."""

LONGEST_RUN = 12
"""Greatest number of slices in a run that may be exchanged with another."""

MAX_EXCHANGED = (1.15, 1.35)
"""Greatest ratio of the differences at the borders of two runs to those after an exchange."""

NOTED_EXCHANGED = 1.05
"""The same ratio for a remark, for thin slices only."""

MAX_LOST, NOTED_LOST = 0.1, 0.05
"""Share of both neighbours' tissue where a slice has no value: limits for a refusal and for a
remark. A CT that was masked to the body, often in strips, gets only a remark."""

AIR_AROUND, THIN_AIR_HU = 0.1, -900.0
"""A scan with a smaller share of air (voxels with a value below these HU) was masked."""

MAX_TEXT = 64
"""Greatest length in characters of LO and UID values."""
