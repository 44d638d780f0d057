//===- LibraryMessageTest.cpp - what the ONNX library says, in our form ---===//
//
// The messages are as ONNX 1.22.0 gives them.
//
//===----------------------------------------------------------------------===//
#include "../../../lib/Import/LibraryMessage.h"

#include <gtest/gtest.h>

using namespace dougong::importer;

namespace {

void expectRead(llvm::StringRef message, llvm::StringRef node, llvm::StringRef text) {
  LibraryMessage read = readLibraryMessage(message);
  EXPECT_EQ(read.node, node.str());
  EXPECT_EQ(read.text, text.str());
}

TEST(LibraryMessage, NodeOfTheChecker) {
  expectRead("Required attribute 'to' is missing.\n\n==> Context: Bad node spec for node. Name: "
             "Cast_0 OpType: Cast",
             "Cast_0", "required attribute 'to' is missing");
  expectRead("No Op registered for Min with domain_version of -2\n\n==> Context: Bad node spec for "
             "node. Name: a Name: b OpType: Min",
             "a Name: b", "no Op registered for Min with domain_version of -2");
}

TEST(LibraryMessage, InnermostNodeOfInference) {
  expectRead("[ShapeInferenceError] (op_type:If, node name: outer): [ShapeInferenceError] "
             "(op_type:Add, node name: inner): [TypeInferenceError] Incompatible dimensions",
             "inner", "incompatible dimensions");
  expectRead("(op_type:Add): [ShapeInferenceError] Incompatible dimensions", "",
             "(op_type:Add): Incompatible dimensions");
}

TEST(LibraryMessage, Assertions) {
  expectRead(
      "/src/convert.h:54: convert: Assertion `it != end` failed: No Adapter From Version $16 "
      "for Identity",
      "", "no Adapter From Version $16 for Identity");
}

TEST(LibraryMessage, PlainSentences) {
  expectRead("The model does not have an ir_version set properly.", "",
             "the model does not have an ir_version set properly");
  expectRead("TensorProto (tensor name: w) is 0-element but contains data!", "",
             "TensorProto (tensor name: w) is 0-element but contains data!");
  expectRead("IR version\n is wrong\n", "", "IR version is wrong");
  expectRead("", "", "");
  expectRead("==> Context: ", "", "");
}

} // namespace
