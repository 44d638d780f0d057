//===- TestWeights.h - a file of weights and a module on it -----*- C++ -*-===//
#ifndef DOUGONG_TEST_UNIT_PACKAGING_TESTWEIGHTS_H
#define DOUGONG_TEST_UNIT_PACKAGING_TESTWEIGHTS_H

#include "dougong/Packaging/Recipe.h"

#include "Onnx/IR/Onnx.h"
#include "mlir/Parser/Parser.h"

#include "gtest/gtest.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace dougong::test {

/// A folder of its own with `weights.bin`, removed at the end.
class TestFile {
public:
  TestFile() {
    std::string pattern = (std::filesystem::temp_directory_path() / "dougong-XXXXXX").string();
    folder = mkdtemp(pattern.data());
    stream.open(folder / "weights.bin", std::ios::binary);
  }
  ~TestFile() { std::filesystem::remove_all(folder); }

  /// Appends and returns the `#onnx.external` of it, with the end of the line.
  std::string add(const std::vector<float> &values) {
    return addBytes({reinterpret_cast<const char *>(values.data()),
                     reinterpret_cast<const char *>(values.data() + values.size())});
  }
  std::string addBytes(const std::vector<char> &bytes) {
    int64_t offset = stream.tellp();
    stream.write(bytes.data(), bytes.size());
    stream.flush();
    return "#onnx.external<\"weights.bin\", offset = " + std::to_string(offset) +
           ", length = " + std::to_string(bytes.size()) + ">\n";
  }

  std::filesystem::path folder;

private:
  std::ofstream stream;
};

/// A module of weights, from text.
struct TestModule {
  TestModule(const std::string &text, const TestFile &file)
      : context(mlir::MLIRContext::Threading::DISABLED), module(parse(text)),
        evaluator(*module, file.folder.string()) {}

  mlir::OwningOpRef<mlir::ModuleOp> parse(const std::string &text) {
    context.loadDialect<onnx::OnnxDialect>();
    auto result = mlir::parseSourceString<mlir::ModuleOp>(text, mlir::ParserConfig(&context));
    EXPECT_TRUE(bool(result));
    return result;
  }

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  WeightEvaluator evaluator;
};

} // namespace dougong::test

#endif // DOUGONG_TEST_UNIT_PACKAGING_TESTWEIGHTS_H
