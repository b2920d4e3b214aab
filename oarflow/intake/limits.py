"""Every limit and tolerance of the intake, with its unit and its reason."""

from __future__ import annotations

MAX_FILES = 100_000
"""Most files looked at in one folder."""

MAX_ARCHIVE_BYTES = 4 * 2**30
"""Greatest size of a zip archive's files once unpacked, in bytes: the stored values of a volume of
MAX_VOXELS, twice."""

MAX_ARCHIVE_RATIO = 100
"""Most bytes that a zip archive unpacks to for each of its own: CTs reach 2 to 10."""

MAX_DIRECTORY_BYTES = 400 * MAX_FILES
"""Greatest size of a zip archive's list of members, which is held in memory."""

MAX_FILE_BYTES = 512 * 2**20
"""Largest file whose pixels are read, in bytes, and most that is read of a header."""

MAX_HEADER_BYTES = 64 * 2**20
"""Greatest size, in bytes, of one header value that is read into memory."""

MAX_HEADER_READS = 1_000_000
"""Most reads for one header: an enhanced CT of 2000 frames takes a quarter of them."""

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
"""Pixel spacing outside this range, in mm, is not a spacing of a patient's CT."""

MAX_POSITION_MM = 1e5
"""Greatest coordinate of a slice, in mm."""

MAX_RESCALE = 1e5
"""Greatest size of Rescale Slope (HU per stored value) and Rescale Intercept (HU)."""

MAX_OBLIQUE_DEGREES = 1.0
"""Greatest turn of the slices' frame from the patient's axes, in degrees, unless the settings say
otherwise: few planning systems take more."""

UNIT_TOLERANCE = 5e-4
"""Greatest deviation of a written direction's length from 1 and of the right angle's cosine from 0:
four decimals, as some scanners write, stay below it."""

PARALLEL_TOLERANCE = 1e-4
"""Greatest difference of a direction cosine within a series: 0.05 mm over a slice of 500 mm."""

SPACING_TOLERANCE = 1e-4
"""Greatest relative difference of pixel spacing within a series."""

SAME_POSITION_MM = 0.01
"""Slices closer than this along the normal, in mm, lie at the same position."""

EQUAL_STEP = 0.01
"""Steps that differ by no more than this fraction are equal."""

STEP_ROUNDING_MM = 0.02
"""Steps that differ by no more than this, in mm, are equal: positions written with two decimals."""

RUN_STEPS, END_RUN_STEPS = 5, 3
"""So many equal steps, fewer at an end of the stack, are spacing and not an accident."""

GAP_FACTOR = 1.5
"""A step longer than this times its neighbours' is a gap."""

TILT_AGREEMENT_DEGREES = 1.0
"""A Gantry/Detector Tilt that the orientation shows to within this, in degrees, is a tilt."""

MIN_TILT_DEGREES = 0.1
"""A smaller Gantry/Detector Tilt, in degrees, is none."""

MAX_SEAM_HU = 200.0
"""Where undeclared bits above High Bit begin, masked values step by no more than this median, in
HU: graphics lie on an image that goes on below them, values that outgrew their bits start again."""

MAX_GRAPHICS_SHARE = 0.01
"""Undeclared graphics are lines and letters: filled areas of more than this part of a slice may be
tissue that outgrew its bits where it meets air."""

SIGN_STEP_FACTOR = 1.5
"""Unsigned values would step this many times more, in the median, than signed ones without copies
of their sign do at zero: skin against air steps by 1040 of 4096 in 12 bits."""

AIR_HU = -1024.0
"""HU given to padding and to whatever lies below: outside the reconstruction circle."""

PADDING_BELOW_HU, PADDING_ABOVE_HU = -900.0, 4000.0
"""A padding value between these HU would hide tissue: it is not taken for padding."""

AIR_BELOW_HU = -500.0
"""Voxels below this HU are air, lung or masked background."""

MIN_AIR_FRACTION = 2e-4
"""Least part of a volume that is air: every head and neck has an airway and a skin."""

TISSUE_HU = (-250.0, 250.0)
"""Voxels in this range of HU are fat, water or soft tissue."""

MIN_TISSUE_FRACTION, MIN_TISSUE_OF_KNOWN = 0.01, 0.3
"""Least part of a volume that is soft tissue; where nearly all is masked, the second is the least
part of the voxels above -1024 HU."""

DENSE_HU, MAX_DENSE_FRACTION = 700.0, 0.15
"""Least HU of dense bone and metal, and the greatest part of the voxels above air that may be so
dense where none is between air and tissue: padding beside stored values without their rescale."""

MIN_TISSUE_OF_NEIGHBOURS, JUDGED_TISSUE_FRACTION = 0.2, 0.01
"""A slice inside the stack with less than this part of its neighbours' soft tissue is wrong, if
those have at least the second part of their voxels in soft tissue."""

MAX_JUMP_HU = 350.0
"""Greatest median difference between neighbouring slices, in HU: more is a lost rescale."""

BLANK_SLICE_HU = -900.0
"""A slice of one value is masked background up to this HU."""

PEAKS_HU = (-450.0, 750.0)
"""Between lung and dense bone: where the peaks of fat and soft tissue are looked for, on a scale
that may be wrong by some hundred HU."""

PEAK_BLUR_HU = 20.0
"""Standard deviation, in HU, by which the counts are smoothed before peaks are looked for."""

PEAK_SHARE = 0.3
"""A peak lower than this part of the highest one is none of the body's two large tissues."""

SOFT_PEAK_HU = (-70.0, 140.0)
"""Where the soft tissue's peak may lie, in HU. In 170 training patients it lay from -15 to 45
(docs/design.md); there is room for contrast, for kernels and for 25 HU between scanners."""

COMPARED_SIDE = 128
"""Neighbouring slices are compared on about so many rows and columns."""

COMPARED_HU = (-1000.0, 300.0)
"""HU are cut off at these before slices are compared: metal and its streaks count no more."""

COMPARED_FRACTION = 0.01
"""Slices that share fewer voxels with values than this part are not compared."""

JUMP_FLOOR_HU = 8.0
"""A mean difference below this, in HU, counts as this much: less is noise."""

JUMP_REACH = 5
"""A step is held against so many before and after it."""

THIN_STEP_MM = 4.0
"""Up to this distance neighbours resemble each other closely; beyond it, the second one of each
pair of limits below counts."""

MAX_UNLIKE = (1.3, 1.7)
"""A slice that differs so many times more from either neighbour than these from each other is not
of this place. Worst of 170 training patients, for all limits here: docs/design.md."""

NOTED_UNLIKE = 1.05
"""The same for a remark, among thin slices only: two neighbours exchanged reach hardly more."""

MAX_FLIPPED = (1.5, 1.9)
"""Neighbours that differ so many times more than once one of them is mirrored are mirrored."""

MAX_JUMP_RATIO = (3.0, 4.0)
"""A step that is so many times greater than those around it parts what never lay together."""

LONGEST_RUN = 12
"""Runs of up to so many slices are looked at in each other's place."""

MAX_EXCHANGED = (1.15, 1.35)
"""Two runs of slices at whose borders the images differ so many times more than they would with
both exchanged are exchanged."""

NOTED_EXCHANGED = 1.05
"""The same for a remark, among thin slices only."""

MAX_LOST, NOTED_LOST = 0.1, 0.05
"""Part of the tissue of both neighbours of which a slice has no value: refused, and remarked. CTs
that were masked to the body, often in strips, are remarked only."""

AIR_AROUND, THIN_AIR_HU = 0.1, -900.0
"""A scan of which less than this part is air (below these HU, with a value) was masked."""

MAX_PATTERN_LENGTH = 200
"""Longest regular expression of a series rule, in characters."""

MAX_TEXT = 64
"""Characters of a description that patterns see, and greatest length of LO and UID values."""
