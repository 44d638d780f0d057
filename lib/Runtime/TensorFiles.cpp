//===- TensorFiles.cpp - tensor files and folders of them -----------------===//
#include "dougong/Package/Plan.h"
#include "dougong/Runtime/TensorIO.h"

#include <algorithm>
#include <charconv>

using namespace dougong;

Result<Tensor> dougong::readTensor(const std::filesystem::path &path, std::int32_t dtype) {
  bool isNpy = path.extension() == ".npy";
  if (!isNpy && path.extension() != ".pb")
    return Error{"'" + path.string() + "' must end in .pb (ONNX TensorProto) or .npy"};
  Result<std::string> bytes = readFile(path);
  if (!bytes)
    return bytes.takeError();
  if (isSequenceType(dtype) && !isNpy)
    return parseSequenceProto(*bytes, path.string(), dtype);
  return isNpy ? parseNpy(*bytes, path.string()) : parseTensorProto(*bytes, path.string());
}

Result<void> dougong::writeTensor(const Tensor &tensor, const std::filesystem::path &path) {
  if (path.extension() == ".pb")
    return writeFileAtomically(path, isSequenceType(tensor.dtype) ? printSequenceProto(tensor)
                                                                  : printTensorProto(tensor));
  if (path.extension() != ".npy")
    return Error{"'" + path.string() + "' must end in .pb (ONNX TensorProto) or .npy"};
  Result<std::string> bytes = printNpy(tensor);
  if (!bytes)
    return bytes.takeError();
  return writeFileAtomically(path, *bytes);
}

/// The i of "input_<i>"; -1 for other names.
static int inputIndex(const std::string &stem) {
  constexpr std::string_view prefix = "input_";
  int index = -1;
  if (!stem.starts_with(prefix))
    return -1;
  const char *begin = stem.data() + prefix.size(), *end = stem.data() + stem.size();
  auto [rest, error] = std::from_chars(begin, end, index);
  return error == std::errc() && rest == end ? index : -1;
}

Result<std::map<std::string, Tensor>>
dougong::readInputFolder(const std::filesystem::path &folder, const std::vector<std::string> &names,
                         const std::vector<std::int32_t> &dtypes) {
  std::error_code error;
  std::vector<std::pair<int, std::filesystem::path>> files;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    const std::filesystem::path &path = it->path();
    int index = inputIndex(path.stem().string());
    if (index >= 0 && (path.extension() == ".pb" || path.extension() == ".npy"))
      files.emplace_back(index, path);
  }
  if (error)
    return Error{"cannot read the folder '" + folder.string() + "': " + error.message()};
  std::sort(files.begin(), files.end());

  std::map<std::string, Tensor> inputs;
  for (auto &[index, path] : files) {
    auto slot = static_cast<std::size_t>(index);
    Result<Tensor> tensor = readTensor(path, slot < dtypes.size() ? dtypes[slot] : 0);
    if (!tensor)
      return tensor.takeError();
    std::string name;
    if (std::find(names.begin(), names.end(), tensor->name) != names.end())
      name = tensor->name;
    else if (static_cast<std::size_t>(index) < names.size())
      name = names[index];
    else
      return Error{"'" + path.string() + "' is no input: the model has " +
                   std::to_string(names.size()) + " inputs, and none is named '" + tensor->name +
                   "'"};
    if (inputs.contains(name))
      return Error{"'" + path.string() + "' is a second file for input '" + name + "' in '" +
                   folder.string() + "'"};
    inputs.emplace(std::move(name), std::move(*tensor));
  }
  return inputs;
}
