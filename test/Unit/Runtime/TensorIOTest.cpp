//===- TensorIOTest.cpp - tensor files against ONNX's and NumPy's own -----===//
#include "dougong/Runtime/TensorIO.h"

#include "dougong/Package/Plan.h"

#include "Command.h"
#include "TestPackage.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>

using namespace dougong;
namespace fs = std::filesystem;

static std::string python(const std::string &arguments) {
  return std::string(PYTHON) + " " + TENSOR_FILES_SCRIPT + " " + arguments;
}

/// The script writes one tensor of every type, as raw data, in typed fields and as
/// .npy, and for each the bytes that NumPy has in memory.
TEST(TensorIO, ReadsWhatOnnxAndNumPyWrite) {
  TemporaryFolder folder;
  CommandResult made = runCommand(python("write " + folder.path().string()));
  ASSERT_EQ(made.code, 0) << made.output;
  int files = 0;
  for (const fs::directory_entry &entry : fs::directory_iterator(folder.path())) {
    const fs::path &path = entry.path();
    if (path.extension() != ".pb" && path.extension() != ".npy")
      continue;
    Result<Tensor> tensor = readTensor(path);
    ASSERT_TRUE(tensor) << tensor.message();
    std::string expected = *readFile(path.string() + ".bytes");
    std::string got;
    if (tensor->dtype == DOUGONG_STRING) {
      for (const std::string &text : tensor->strings)
        got += text + "\n";
    } else {
      got.assign(reinterpret_cast<const char *>(tensor->data.data()), tensor->bytes());
    }
    EXPECT_EQ(got, expected) << path;
    std::string facts = *readFile(path.string() + ".facts");
    EXPECT_EQ(std::to_string(tensor->dtype) + " " + printDims(tensor->dims) + "\n", facts) << path;
    if (path.extension() == ".pb") {
      EXPECT_EQ(tensor->name, "the name");
    }
    ++files;
  }
  EXPECT_GE(files, 50);
}

/// The script reads what we write and compares it with its own values.
TEST(TensorIO, OnnxAndNumPyReadWhatItWrites) {
  TemporaryFolder in, out;
  CommandResult made = runCommand(python("write " + in.path().string()));
  ASSERT_EQ(made.code, 0) << made.output;
  for (const fs::directory_entry &entry : fs::directory_iterator(in.path())) {
    const fs::path &path = entry.path();
    if (path.extension() != ".pb" && path.extension() != ".npy")
      continue;
    Result<Tensor> tensor = readTensor(path);
    ASSERT_TRUE(tensor) << tensor.message();
    Result<void> written = writeTensor(*tensor, out.path() / path.filename());
    ASSERT_TRUE(written) << written.message();
  }
  CommandResult compared = runCommand(python("compare " + out.path().string()));
  EXPECT_EQ(compared.code, 0) << compared.output;
}

static std::string protoError(const std::string &bytes) {
  Result<Tensor> tensor = parseTensorProto(bytes, "f.pb");
  return tensor ? "" : tensor.message();
}

TEST(TensorIO, DamagedProtosAreRefused) {
  // dims = [2], data_type = 1, raw_data of 8 bytes.
  std::string good("\x08\x02\x10\x01\x4a\x08"
                   "12345678",
                   14);
  EXPECT_EQ(protoError(good), "");
  for (std::size_t length = 5; length < good.size(); ++length)
    EXPECT_NE(protoError(good.substr(0, length)), "") << length;
  EXPECT_EQ(protoError(good.substr(0, 4)),
            "'f.pb' is no tensor that can be read: float32 [2] has 2 numbers, the file has 0");
  std::string other = good;
  other[1] = 3;
  EXPECT_EQ(protoError(other),
            "'f.pb' is no tensor that can be read: float32 [3] has 12 bytes, the file has 8");
  other[3] = 99;
  EXPECT_EQ(protoError(other), "'f.pb' is no tensor that can be read: element type 99 is unknown");
  // The number of our own sequences, which no tensor is of: with as many bytes as it says.
  EXPECT_EQ(protoError(std::string("\x10\x40\x4a\x10") + std::string(16, 'x')),
            "'f.pb' is no tensor that can be read: element type 64 is unknown");
  // A huge and a negative dim.
  std::string huge = protoError("\x08\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x10\x01");
  EXPECT_NE(huge.find("more than 2^62"), std::string::npos) << huge;
  std::string negative = protoError("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x10\x01");
  EXPECT_NE(negative.find("negative"), std::string::npos) << negative;
  EXPECT_NE(protoError("\x10\x01\x70\x01").find("external data"), std::string::npos);
}

TEST(TensorIO, DamagedNpyFilesAreRefused) {
  std::string good = *printNpy(floats({2, 3}, {1, 2, 3, 4, 5, 6}));
  ASSERT_TRUE(parseNpy(good, "f.npy"));
  EXPECT_EQ((good.size() - 24) % 64, 0u); // the elements are aligned
  for (std::size_t length = 0; length < good.size(); ++length)
    EXPECT_FALSE(parseNpy(good.substr(0, length), "f.npy")) << length;
  std::string other = good;
  other.replace(other.find("<f4"), 3, "<U4");
  EXPECT_EQ(parseNpy(other, "f.npy").message(),
            "'f.npy' is no .npy file that can be read: element type '<U4' is not supported; for "
            "bfloat16 and 8-bit floats use .pb");
}

TEST(TensorIO, FoldersAreMatchedByNameAndByOrder) {
  TemporaryFolder folder;
  auto write = [&](const char *file, const char *name, float value) {
    Tensor tensor = floats({1}, {value});
    tensor.name = name;
    ASSERT_TRUE(writeTensor(tensor, folder.path() / file));
  };
  write("input_0.pb", "b", 10);
  write("input_1.pb", "a", 11);
  write("input_2.npy", "", 12);
  write("output_0.pb", "a", 13);
  auto inputs = readInputFolder(folder.path(), {"a", "b", "c"});
  ASSERT_TRUE(inputs) << inputs.message();
  EXPECT_EQ(inputs->size(), 3u);
  EXPECT_EQ(floatsOf((*inputs)["a"])[0], 11);
  EXPECT_EQ(floatsOf((*inputs)["b"])[0], 10);
  EXPECT_EQ(floatsOf((*inputs)["c"])[0], 12);
  // input_10 comes after input_2.
  write("input_10.pb", "", 14);
  auto many = readInputFolder(folder.path(), {"a", "b", "c"});
  ASSERT_FALSE(many);
  EXPECT_NE(many.message().find("the model has 3 inputs"), std::string::npos);
  auto twice =
      readInputFolder(folder.path(), {"b", "q", "c", "d", "e", "f", "g", "h", "i", "j", "a"});
  ASSERT_FALSE(twice);
  EXPECT_NE(twice.message().find("is a second file for input 'a'"), std::string::npos)
      << twice.message();
}
