//===- Utils.cpp - shared by the passes of the normalize phase ------------===//
#include "Utils.h"

#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace dougong::onnx;

Value dougong::onnx::createConstant(OpBuilder &builder, Location loc, ElementsAttr value) {
  OperationState state(loc, ConstantOp::getOperationName());
  state.addTypes(value.getType());
  state.addAttribute("value", value);
  return builder.create(state)->getResult(0);
}

ElementsAttr dougong::onnx::getConstantValue(Value value) {
  auto constant = value.getDefiningOp<ConstantOp>();
  return constant ? dyn_cast_if_present<ElementsAttr>(constant.getValueAttr()) : ElementsAttr();
}

std::optional<int64_t> dougong::onnx::getOnnxElementType(Type type) {
  if (auto integer = dyn_cast<IntegerType>(type)) {
    bool isUnsigned = integer.isUnsigned();
    switch (integer.getWidth()) {
    case 1:
      return 9;
    case 2:
      return isUnsigned ? 25 : 26;
    case 4:
      return isUnsigned ? 21 : 22;
    case 8:
      return isUnsigned ? 2 : 3;
    case 16:
      return isUnsigned ? 4 : 5;
    case 32:
      return isUnsigned ? 12 : 6;
    case 64:
      return isUnsigned ? 13 : 7;
    default:
      return std::nullopt;
    }
  }
  return llvm::TypeSwitch<Type, std::optional<int64_t>>(type)
      .Case<Float32Type>([](auto) { return 1; })
      .Case<StringType>([](auto) { return 8; })
      .Case<Float16Type>([](auto) { return 10; })
      .Case<Float64Type>([](auto) { return 11; })
      .Case<BFloat16Type>([](auto) { return 16; })
      .Case<Float8E4M3FNType>([](auto) { return 17; })
      .Case<Float8E4M3FNUZType>([](auto) { return 18; })
      .Case<Float8E5M2Type>([](auto) { return 19; })
      .Case<Float8E5M2FNUZType>([](auto) { return 20; })
      .Case<Float4E2M1FNType>([](auto) { return 23; })
      .Case<Float8E8M0FNUType>([](auto) { return 24; })
      .Default([](Type) { return std::nullopt; });
}

void dougong::onnx::eraseDeadOps(Operation *root) {
  // Users come after their operands: one reverse visit is enough.
  SmallVector<Operation *> ops;
  root->walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (op != root)
      ops.push_back(op);
  });
  for (Operation *op : llvm::reverse(ops))
    if (!isa<func::FuncOp>(op) && isOpTriviallyDead(op))
      op->erase();
}
