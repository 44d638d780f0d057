//===- Types.cpp - ONNX types in MLIR -------------------------------------===//
#include "dougong/Import/Types.h"
#include "Tensors.h"
#include "dougong/Import/ElementTypes.h"

#include "Onnx/IR/Onnx.h"
#include "dougong/Support/DimExpr.h"

using namespace mlir;
using namespace dougong::importer;

namespace {

/// The extent that a dim_param stands for: an expression if it reads as one,
/// else a symbol of that very name.
dougong::DimExpr parseDim(const std::string &text) {
  if (dougong::Result<dougong::DimExpr> expr = dougong::DimExpr::parse(text))
    return *expr;
  return dougong::DimExpr::symbol(text);
}

/// Whether the library's shape inference made up this name.
bool isInferredName(StringRef name) {
  return name.consume_front("unk__") && !name.empty() && llvm::all_of(name, llvm::isDigit);
}

Type convertTensorType(int32_t dataType, const pb::TensorShapeProto *shape, StringRef inputName,
                       MLIRContext *context) {
  Type element = convertElementType(dataType, context);
  if (!element)
    return {};
  if (!shape)
    return UnrankedTensorType::get(element);
  SmallVector<int64_t> extents;
  SmallVector<StringAttr> exprs;
  bool dynamic = false;
  for (auto [index, dim] : llvm::enumerate(shape->dim())) {
    extents.push_back(ShapedType::kDynamic);
    exprs.push_back({});
    dougong::DimExpr extent(-1);
    if (dim.has_dim_value())
      extent = dim.dim_value();
    else if (!dim.dim_param().empty() && (!inputName.empty() || !isInferredName(dim.dim_param())))
      extent = parseDim(dim.dim_param());
    std::optional<int64_t> value = extent.constant();
    if (value && *value >= 0) {
      extents.back() = *value;
      continue;
    }
    if (value && inputName.empty())
      return UnrankedTensorType::get(element); // unknown
    if (value)
      extent = dougong::DimExpr::symbol((inputName + "[" + Twine(index) + "]").str());
    dynamic = true;
    exprs.back() = StringAttr::get(context, extent.print());
  }
  auto dims = dynamic ? dougong::onnx::DimsAttr::get(context, exprs) : dougong::onnx::DimsAttr();
  return RankedTensorType::get(extents, element, dims);
}

} // namespace

Type dougong::importer::convertType(const pb::TypeProto &type, MLIRContext *context,
                                    StringRef inputName) {
  switch (type.value_case()) {
  case pb::TypeProto::kTensorType: {
    const pb::TypeProto::Tensor &tensor = type.tensor_type();
    return convertTensorType(tensor.elem_type(), tensor.has_shape() ? &tensor.shape() : nullptr,
                             inputName, context);
  }
  case pb::TypeProto::kSequenceType: {
    Type element = convertType(type.sequence_type().elem_type(), context);
    return element ? onnx::SequenceType::get(context, element) : Type();
  }
  case pb::TypeProto::kOptionalType: {
    Type element = convertType(type.optional_type().elem_type(), context);
    return element ? onnx::OptionalType::get(context, element) : Type();
  }
  case pb::TypeProto::kMapType: {
    Type key = convertElementType(type.map_type().key_type(), context);
    Type value = convertType(type.map_type().value_type(), context);
    return key && value ? onnx::MapType::get(context, key, value) : Type();
  }
  default:
    return {};
  }
}

RankedTensorType dougong::importer::getTensorType(const pb::TensorProto &tensor,
                                                  MLIRContext *context) {
  return RankedTensorType::get(ArrayRef(tensor.dims().data(), tensor.dims_size()),
                               convertElementType(tensor.data_type(), context));
}

//===----------------------------------------------------------------------===//
// MLIR to ONNX
//===----------------------------------------------------------------------===//

namespace {

bool convertTensorType(TensorType type, pb::TypeProto::Tensor &result) {
  int32_t dataType = getDataType(type.getElementType());
  if (dataType == pb::TensorProto::UNDEFINED)
    return false;
  result.set_elem_type(dataType);
  auto ranked = dyn_cast<RankedTensorType>(type);
  if (!ranked)
    return true;
  auto dims = dyn_cast_or_null<dougong::onnx::DimsAttr>(ranked.getEncoding());
  pb::TensorShapeProto *shape = result.mutable_shape();
  for (auto [index, extent] : llvm::enumerate(ranked.getShape())) {
    pb::TensorShapeProto::Dimension *dim = shape->add_dim();
    if (!ShapedType::isDynamic(extent)) {
      dim->set_dim_value(extent);
      continue;
    }
    if (!dims || index >= dims.getExprs().size() || !dims.getExprs()[index])
      continue;
    std::string text = dims.getExprs()[index].str();
    if (dougong::Result<dougong::DimExpr> expr = dougong::DimExpr::parse(text);
        expr && expr->kind() == dougong::DimExpr::Kind::Symbol)
      text = expr->name(); // without backquotes
    dim->set_dim_param(text);
  }
  return true;
}

} // namespace

bool dougong::importer::convertType(Type type, pb::TypeProto &result) {
  // A scalar of a sequence is that sequence: see onnx-box-sequences.
  if (auto tensor = dyn_cast<TensorType>(type);
      tensor && isa<onnx::SequenceType, onnx::OptionalType>(tensor.getElementType()))
    return convertType(tensor.getElementType(), result);
  if (auto tensor = dyn_cast<TensorType>(type))
    return convertTensorType(tensor, *result.mutable_tensor_type());
  if (auto sequence = dyn_cast<onnx::SequenceType>(type))
    return convertType(sequence.getElementType(),
                       *result.mutable_sequence_type()->mutable_elem_type());
  if (auto optional = dyn_cast<onnx::OptionalType>(type))
    return convertType(optional.getElementType(),
                       *result.mutable_optional_type()->mutable_elem_type());
  if (auto map = dyn_cast<onnx::MapType>(type)) {
    int32_t key = getDataType(map.getKeyType());
    result.mutable_map_type()->set_key_type(key);
    return key != pb::TensorProto::UNDEFINED &&
           convertType(map.getValueType(), *result.mutable_map_type()->mutable_value_type());
  }
  return false;
}
