//===- LibraryLaunch.cpp - calls of the operator library ------------------===//
#include "LibraryLaunch.h"

#include "Kernels/LibraryCalls.h"

#include "dougong-c/program.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;
using namespace dougong;

static Value int64Constant(OpBuilder &builder, Location loc, int64_t value) {
  return LLVM::ConstantOp::create(builder, loc, builder.getI64Type(), value);
}

static Value allocateOnStack(OpBuilder &builder, Location loc, int64_t words) {
  auto pointer = LLVM::LLVMPointerType::get(builder.getContext());
  return LLVM::AllocaOp::create(builder, loc, pointer, builder.getI64Type(),
                                int64Constant(builder, loc, std::max<int64_t>(words, 1)));
}

Value dougong::storeExtents(OpBuilder &builder, Location loc, ArrayRef<Value> extents,
                            Value place) {
  Value array = place ? place : allocateOnStack(builder, loc, extents.size());
  for (auto [index, extent] : llvm::enumerate(extents)) {
    Value wide = arith::IndexCastOp::create(builder, loc, builder.getI64Type(), extent);
    LLVM::StoreOp::create(builder, loc, wide,
                          offsetPointer(builder, loc, array, builder.getI64IntegerAttr(8 * index)));
  }
  return array;
}

Value dougong::loadExtent(OpBuilder &builder, Location loc, Value array, int64_t index) {
  Value place = offsetPointer(builder, loc, array, builder.getI64IntegerAttr(8 * index));
  Value wide = LLVM::LoadOp::create(builder, loc, builder.getI64Type(), place);
  return arith::IndexCastOp::create(builder, loc, builder.getIndexType(), wide);
}

void dougong::storeTensor(OpBuilder &builder, Location loc, Value array, int64_t index, Value data,
                          Value dims, int64_t rank, int32_t dtype) {
  static_assert(sizeof(dougong_tensor) == 24);
  Type i32 = builder.getI32Type();
  auto store = [&](Value value, size_t field) {
    int64_t bytes = index * sizeof(dougong_tensor) + field;
    LLVM::StoreOp::create(builder, loc, value,
                          offsetPointer(builder, loc, array, builder.getI64IntegerAttr(bytes)));
  };
  store(data, offsetof(dougong_tensor, data));
  store(dims, offsetof(dougong_tensor, dims));
  store(LLVM::ConstantOp::create(builder, loc, i32, static_cast<int32_t>(rank)),
        offsetof(dougong_tensor, rank));
  store(LLVM::ConstantOp::create(builder, loc, i32, dtype), offsetof(dougong_tensor, dtype));
}

Value dougong::getAddress(OpBuilder &builder, Location loc, FlatSymbolRefAttr body) {
  auto pointer = LLVM::LLVMPointerType::get(builder.getContext());
  auto type = builder.getFunctionType(SmallVector<Type>(4, pointer), builder.getI32Type());
  Value function = func::ConstantOp::create(builder, loc, type, body);
  return UnrealizedConversionCastOp::create(builder, loc, TypeRange(pointer), ValueRange(function))
      .getResult(0);
}

LibraryTensors::LibraryTensors(OpBuilder &builder, Location loc, ArrayRef<LibraryTensor> tensors)
    : builder(builder), loc(loc) {
  array = allocateOnStack(builder, loc, 3 * tensors.size());
  auto pointer = LLVM::LLVMPointerType::get(builder.getContext());
  for (auto [index, tensor] : llvm::enumerate(tensors)) {
    Value null = LLVM::ZeroOp::create(builder, loc, pointer);
    Value dims = tensor.data ? storeExtents(builder, loc, tensor.extents) : null;
    storeTensor(builder, loc, array, index, tensor.data ? tensor.data : null, dims, tensor.rank,
                tensor.dtype);
  }
}

Value LibraryTensors::address(unsigned index, int64_t bytes) {
  int64_t offset = index * sizeof(dougong_tensor) + bytes;
  return offsetPointer(builder, loc, array, builder.getI64IntegerAttr(offset));
}

Value LibraryTensors::loadData(unsigned index) {
  return LLVM::LoadOp::create(builder, loc, array.getType(),
                              address(index, offsetof(dougong_tensor, data)));
}

Value LibraryTensors::loadDims(unsigned index) {
  return LLVM::LoadOp::create(builder, loc, array.getType(),
                              address(index, offsetof(dougong_tensor, dims)));
}

Value LibraryTensors::loadExtent(unsigned index, int64_t dim) {
  return dougong::loadExtent(builder, loc, loadDims(index), dim);
}

/// A constant global of the module, one for each distinct value.
static Value makeGlobal(OpBuilder &builder, ModuleOp module, Location loc, StringRef prefix,
                        Type type, Attribute value) {
  for (auto global : module.getOps<LLVM::GlobalOp>())
    if (global.getValueOrNull() == value && global.getSymName().starts_with(prefix))
      return LLVM::AddressOfOp::create(builder, loc, global);
  unsigned number = llvm::count_if(module.getOps<LLVM::GlobalOp>(), [&](LLVM::GlobalOp global) {
    return global.getSymName().starts_with(prefix);
  });
  OpBuilder top = OpBuilder::atBlockBegin(module.getBody());
  auto global = LLVM::GlobalOp::create(top, loc, type, /*isConstant=*/true, LLVM::Linkage::Internal,
                                       (prefix + Twine(number)).str(), value);
  return LLVM::AddressOfOp::create(builder, loc, global);
}

void dougong::callLibrary(OpBuilder &builder, ModuleOp module, onnx::LaunchOp launch, unsigned site,
                          Value context, const LibraryTensors &tensors, int64_t count) {
  Location loc = launch.getLoc();
  std::string name = launch->getAttrOfType<StringAttr>(libraryAttrName).getValue().str();
  name += "#" + std::to_string(site);
  name.push_back('\0');
  auto nameType = LLVM::LLVMArrayType::get(builder.getI8Type(), name.size());
  Value nameValue =
      makeGlobal(builder, module, loc, "library_name_", nameType, builder.getStringAttr(name));
  ArrayRef<int64_t> attributes =
      launch->getAttrOfType<DenseI64ArrayAttr>(libraryAttributesAttrName);
  Value attributesValue = LLVM::ZeroOp::create(builder, loc, context.getType());
  if (!attributes.empty()) {
    auto type = LLVM::LLVMArrayType::get(builder.getI64Type(), attributes.size());
    attributesValue = makeGlobal(builder, module, loc, "library_attributes_", type,
                                 builder.getI64TensorAttr(attributes));
  }
  callHost(builder, loc, context, hostLibrary,
           {nameValue, tensors.getPointer(), int64Constant(builder, loc, count), attributesValue,
            int64Constant(builder, loc, attributes.size())});
}
