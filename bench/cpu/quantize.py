"""Static quantisation of a model to the QDQ form, by onnxruntime's own tool."""

import pathlib

import onnx
import onnx.version_converter
from onnxruntime.quantization import (CalibrationDataReader, QuantFormat, QuantType, quantize_static)
from onnxruntime.quantization.shape_inference import quant_pre_process


OPSET = 17  # scales for each channel came with 13


class Steps(CalibrationDataReader):
    """The recorded steps of a model, as what its ranges are taken from."""

    def __init__(self, model, folders):
        names = [value.name for value in onnx.load(model, load_external_data=False).graph.input]
        self.feeds = iter([{name: onnx.numpy_helper.to_array(
            onnx.load_tensor(pathlib.Path(folder) / f"input_{number}.pb"))
            for number, name in enumerate(names)} for folder in folders])

    def get_next(self):
        return next(self.feeds, None)


def quantize(model, folders, target):
    """Activations u8, weights i8 for each column or channel."""
    prepared = target.with_suffix(".prepared.onnx")
    loaded = onnx.load(model)
    if loaded.opset_import[0].version < OPSET:
        model = target.with_suffix(".converted.onnx")
        onnx.save(onnx.version_converter.convert_version(loaded, OPSET), model)
    quant_pre_process(str(model), str(prepared), skip_symbolic_shape=True)
    # (7-bit weights: sums of two products then do not saturate in onnxruntime without VNNI)
    quantize_static(str(prepared), str(target), Steps(prepared, folders),
                    quant_format=QuantFormat.QDQ, activation_type=QuantType.QUInt8,
                    weight_type=QuantType.QInt8, per_channel=True, reduce_range=True)
    prepared.unlink()
