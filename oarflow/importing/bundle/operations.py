"""The operations of TorchScript that networks need. None of them reads or writes a file."""

from __future__ import annotations

_LANGUAGE = """
    Constant CreateObject GetAttr If ListConstruct ListUnpack Loop NumToTensor RaiseException
    TupleConstruct TupleIndex TupleUnpack Uninitialized device dtype max min unchecked_cast
"""

_VALUES = """
    Bool Float FloatImplicit Int IntImplicit ScalarImplicit __and__ __contains__ __derive_index
    __getitem__ __is__ __isnot__ __not__ __or__ __range_length _set_item append ceil eq extend floor
    floordiv format ge gt insert le len list lt mod ne neg pop remainder reverse warn
"""

_NETWORKS = """
    _convolution _upsample_bicubic2d_aa _upsample_bilinear2d_aa _upsample_lanczos2d_aa
    _upsample_nearest_exact1d _upsample_nearest_exact2d _upsample_nearest_exact3d
    adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool3d alpha_dropout
    avg_pool3d batch_norm bmm celu constant_pad_nd conv3d conv_transpose3d dropout dropout_ einsum
    elu elu_ feature_alpha_dropout feature_dropout feature_dropout_ gelu group_norm hardswish
    hardtanh instance_norm layer_norm leaky_relu leaky_relu_ linear log_softmax matmul max_pool3d
    mish pad pixel_shuffle prelu relu relu_ rrelu scaled_dot_product_attention selu sigmoid sigmoid_
    silu silu_ softmax softplus tanh upsample_bicubic2d upsample_bilinear2d upsample_linear1d
    upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_trilinear3d
"""

_TENSORS = """
    abs add add_ all any arange argmax cat chunk clamp clamp_ clone contiguous cumsum detach dim div
    div_ exp expand expand_as fill_ flatten flip full full_like index_select log masked_fill max
    maximum mean min minimum movedim mul mul_ narrow new_zeros ones ones_like permute pow reciprocal
    repeat reshape roll rsqrt rsub select size slice split split_with_sizes sqrt squeeze squeeze_
    stack std sub sub_ sum t tensor to transpose type_as unbind unflatten unsqueeze unsqueeze_ var
    view view_as where zeros zeros_like
"""

OPERATIONS = frozenset(
    {f"prim::{name}" for name in _LANGUAGE.split()}
    | {f"aten::{name}" for name in (_VALUES + _NETWORKS + _TENSORS).split()}
)
"""Operations by their names in a graph."""
