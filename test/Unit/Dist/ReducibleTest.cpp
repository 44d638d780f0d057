//===- ReducibleTest.cpp - the compiler and the runtime reduce the same ---===//
#include "Dist/IR/Dist.h"
#include "Onnx/IR/Onnx.h"

#include "dougong/Import/ElementTypes.h"
#include "dougong/Support/Reducible.h"

#include <gtest/gtest.h>

using namespace mlir;
using namespace dougong;

TEST(Reducible, OfTheDialectAreThoseOfTheCollectives) {
  MLIRContext context;
  context.loadDialect<onnx::OnnxDialect>();
  unsigned types = 0, reducible = 0;
  for (int32_t dataType = 0; dataType < 64; ++dataType) {
    Type type = importer::convertElementType(dataType, &context);
    if (!type) {
      EXPECT_FALSE(isReducible(dataType)) << dataType;
      continue;
    }
    ++types;
    reducible += isReducible(dataType);
    EXPECT_EQ(dist::isReducible(type), isReducible(dataType)) << dataType;
  }
  EXPECT_EQ(types, 26u);
  EXPECT_EQ(reducible, 13u);
}
