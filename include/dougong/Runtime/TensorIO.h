//===- TensorIO.h - tensors in files ----------------------------*- C++ -*-===//
//
// ONNX TensorProto files (the test-data layout: input_0.pb, input_1.pb, ...) and
// NumPy's .npy files.
//
//===----------------------------------------------------------------------===//
#ifndef DOUGONG_RUNTIME_TENSORIO_H
#define DOUGONG_RUNTIME_TENSORIO_H

#include "dougong/Runtime/Tensor.h"

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace dougong {

/// Reads the bytes of a TensorProto: every element type, both `raw_data` and the
/// typed fields. Refuses external data, segments, and a number of elements that
/// does not fit the dims. `source` names the file in errors.
Result<Tensor> parseTensorProto(std::string_view bytes, const std::string &source);

/// The bytes of a TensorProto, elements as `raw_data` (strings as string_data).
std::string printTensorProto(const Tensor &tensor);

/// Reads the bytes of a SequenceProto (`dtype` DOUGONG_SEQUENCE) or an OptionalProto
/// (DOUGONG_OPTIONAL) of tensors, sequences and optional values.
Result<Tensor> parseSequenceProto(std::string_view bytes, const std::string &source,
                                  std::int32_t dtype);

/// The bytes of a SequenceProto or OptionalProto.
std::string printSequenceProto(const Tensor &sequence);

/// Reads the bytes of a .npy file, format 1.0 to 3.0, C or Fortran order, either
/// byte order; bool, integers, f16, f32, f64, complex, and the extension types
/// that ml_dtypes stores as 'V2'/'V1' are refused, for the file does not say
/// which one it is.
Result<Tensor> parseNpy(std::string_view bytes, const std::string &source);

/// The bytes of a .npy file, format 1.0. Fails for types that NumPy lacks.
Result<std::string> printNpy(const Tensor &tensor);

/// Reads a file by its extension, .pb or .npy. A file does not say whether it is a
/// sequence or an optional value: `dtype` does, where it is one.
Result<Tensor> readTensor(const std::filesystem::path &path, std::int32_t dtype = 0);
/// Writes a file by its extension, .pb or .npy.
Result<void> writeTensor(const Tensor &tensor, const std::filesystem::path &path);

/// Reads a folder's input_<i>.pb (or input_<i>.npy) as the inputs of a model
/// whose input names are `names`, in graph order. A file whose tensor is named
/// as an input is that input; others are the i-th input. Inputs without a file
/// are left out. Fails for an index or a name without an input, and for two
/// files for one input. `dtypes` are those of the inputs, as readTensor wants them.
Result<std::map<std::string, Tensor>> readInputFolder(const std::filesystem::path &folder,
                                                      const std::vector<std::string> &names,
                                                      const std::vector<std::int32_t> &dtypes = {});

} // namespace dougong

#endif // DOUGONG_RUNTIME_TENSORIO_H
