//===- EmitterTensors.cpp - linalg and tensor ops with maps and extents ---===//
#include "Emitter.h"

#include "dougong/Support/DimExpr.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace dougong::onnx;

AffineMap Emitter::map(unsigned loops, ArrayRef<AffineExpr> exprs) {
  return AffineMap::get(loops, 0, exprs, getContext());
}

AffineMap Emitter::mapOf(unsigned loops, ArrayRef<unsigned> positions) {
  SmallVector<AffineExpr> exprs;
  for (unsigned position : positions)
    exprs.push_back(loop(position));
  return map(loops, exprs);
}

Value Emitter::empty(ArrayRef<OpFoldResult> shape, Type element) {
  return tensor::EmptyOp::create(*this, shape, element);
}

Value Emitter::filled(ArrayRef<OpFoldResult> shape, Value scalar) {
  Value init = empty(shape, scalar.getType());
  return linalg::FillOp::create(*this, ValueRange{scalar}, ValueRange{init}).getResult(0);
}

Value Emitter::castTo(Value tensor, Type type) {
  return tensor.getType() == type ? tensor
                                  : tensor::CastOp::create(*this, type, tensor).getResult();
}

Value Emitter::refine(Value tensor, ArrayRef<OpFoldResult> shape) {
  SmallVector<int64_t> sizes(typeOf(tensor).getShape());
  for (auto [size, known] : llvm::zip_equal(sizes, shape))
    if (auto constant = getConstantIntValue(known); constant && ShapedType::isDynamic(size))
      size = *constant;
  return castTo(tensor, RankedTensorType::get(sizes, typeOf(tensor).getElementType()));
}

SmallVector<Value> Emitter::generic(unsigned loops, ArrayRef<Operand> inputs,
                                    ArrayRef<Operand> outputs, ArrayRef<unsigned> reductions,
                                    MultiBody body) {
  SmallVector<Value> ins, outs;
  SmallVector<Type> types;
  SmallVector<AffineMap> maps;
  for (const Operand &operand : inputs) {
    ins.push_back(operand.tensor);
    maps.push_back(operand.map);
  }
  for (const Operand &operand : outputs) {
    outs.push_back(operand.tensor);
    types.push_back(operand.tensor.getType());
    maps.push_back(operand.map);
  }
  SmallVector<utils::IteratorType> iterators(loops, utils::IteratorType::parallel);
  for (unsigned reduction : reductions)
    iterators[reduction] = utils::IteratorType::reduction;
  auto op = linalg::GenericOp::create(*this, types, ins, outs, maps, iterators,
                                      [&](OpBuilder &builder, Location loc, ValueRange args) {
                                        Emitter inner(loc, builder);
                                        SmallVector<Value> results = body(inner, args);
                                        linalg::YieldOp::create(inner, results);
                                      });
  return SmallVector<Value>(op.getResults());
}

Value Emitter::generic(unsigned loops, ArrayRef<Operand> inputs, Operand output,
                       ArrayRef<unsigned> reductions, Body body) {
  return generic(loops, inputs, ArrayRef<Operand>(output), reductions,
                 [&](Emitter &e, ValueRange args) { return SmallVector<Value>{body(e, args)}; })
      .front();
}

SmallVector<Value> Emitter::pointwiseMulti(ArrayRef<OpFoldResult> shape, ArrayRef<Type> elements,
                                           ArrayRef<Operand> inputs, MultiBody body) {
  unsigned loops = shape.size();
  SmallVector<Operand> outputs;
  for (Type element : elements)
    outputs.push_back({empty(shape, element), identity(loops)});
  return generic(loops, inputs, outputs, {}, [&](Emitter &e, ValueRange args) {
    return body(e, args.take_front(inputs.size()));
  });
}

Value Emitter::pointwise(ArrayRef<OpFoldResult> shape, Type element, ArrayRef<Operand> inputs,
                         Body body) {
  return pointwiseMulti(
             shape, {element}, inputs,
             [&](Emitter &e, ValueRange args) { return SmallVector<Value>{body(e, args)}; })
      .front();
}

Value Emitter::contract(unsigned loops, Operand a, Operand b, Operand init,
                        ArrayRef<unsigned> reductions, bool aUnsigned, bool bUnsigned) {
  return generic(loops, {a, b}, init, reductions, [&](Emitter &e, ValueRange args) {
    Type accumulate = args[2].getType();
    Value x = e.convert(args[0], accumulate, aUnsigned, false);
    Value y = e.convert(args[1], accumulate, bUnsigned, false);
    return e.add(args[2], e.mul(x, y));
  });
}

AffineMap Emitter::keptMap(unsigned loops, ArrayRef<unsigned> reductions) {
  SmallVector<unsigned> kept;
  for (unsigned i = 0; i < loops; ++i)
    if (!llvm::is_contained(reductions, i))
      kept.push_back(i);
  return mapOf(loops, kept);
}

Value Emitter::reduce(Value tensor, ArrayRef<OpFoldResult> shape, ArrayRef<unsigned> reductions,
                      Value init, Body body) {
  unsigned loops = shape.size();
  Extents kept;
  for (unsigned i = 0; i < loops; ++i)
    if (!llvm::is_contained(reductions, i))
      kept.push_back(shape[i]);
  // Of single elements there is nothing to loop over: an element-wise op fuses.
  if (!reductions.empty() && llvm::all_of(reductions, [&](unsigned i) {
        return isConstantIntValue(shape[i], 1) && typeOf(tensor).getDimSize(i) == 1;
      })) {
    SmallVector<AffineExpr> exprs;
    unsigned next = 0;
    for (unsigned i = 0; i < loops; ++i)
      exprs.push_back(llvm::is_contained(reductions, i) ? zero() : loop(next++));
    return pointwise(kept, init.getType(), {{tensor, map(next, exprs)}},
                     [&](Emitter &e, ValueRange args) {
                       Value pair[] = {args[0], init};
                       return body(e, pair);
                     });
  }
  return generic(loops, {{tensor, identity(loops)}},
                 Operand{filled(kept, init), keptMap(loops, reductions)}, reductions, body);
}

Value Emitter::keepDims(Value tensor, ArrayRef<unsigned> dims) {
  Extents source = extentsOf(tensor), shape;
  SmallVector<ReassociationIndices> groups;
  unsigned rank = source.size() + dims.size(), next = 0;
  ReassociationIndices pending; // leading 1s join the first group
  for (unsigned i = 0; i < rank; ++i) {
    if (llvm::is_contained(dims, i)) {
      shape.push_back(attr(1));
      if (groups.empty())
        pending.push_back(i);
      else
        groups.back().push_back(i);
      continue;
    }
    shape.push_back(source[next++]);
    groups.emplace_back(std::move(pending)).push_back(i);
    pending.clear();
  }
  return expand(tensor, shape, groups);
}

Operand Emitter::broadcast(Value tensor, Type original, RankedTensorType result) {
  auto type = cast<RankedTensorType>(original);
  unsigned loops = result.getRank(), offset = loops - type.getRank();
  auto exprOf = [](RankedTensorType type, unsigned dim) {
    auto dims = dyn_cast_if_present<DimsAttr>(type.getEncoding());
    return dims ? dims.getExprs()[dim] : StringAttr();
  };
  SmallVector<AffineExpr> exprs;
  SmallVector<bool> mayBroadcast;
  for (unsigned dim = 0; dim < type.getRank(); ++dim) {
    bool single = type.getDimSize(dim) == 1 && result.getDimSize(offset + dim) != 1;
    exprs.push_back(single ? zero() : loop(offset + dim));
    mayBroadcast.push_back(type.isDynamicDim(dim) &&
                           exprOf(type, dim) != exprOf(result, offset + dim));
  }
  if (!llvm::is_contained(mayBroadcast, true))
    return {tensor, map(loops, exprs)};
  SmallVector<Value> isOne(mayBroadcast.size());
  for (unsigned dim = 0; dim < mayBroadcast.size(); ++dim)
    if (mayBroadcast[dim])
      isOne[dim] = compare(Compare::Equal, index(extent(original, dim)), index(int64_t{1}));
  Value expanded =
      pointwise(extents(result), typeOf(tensor).getElementType(), {}, [&](Emitter &e, ValueRange) {
        SmallVector<Value> at;
        for (unsigned dim = 0; dim < mayBroadcast.size(); ++dim) {
          if (exprs[dim] == zero()) {
            at.push_back(e.index(int64_t{0}));
            continue;
          }
          Value here = e.loopIndex(offset + dim);
          at.push_back(isOne[dim] ? e.select(isOne[dim], e.index(int64_t{0}), here) : here);
        }
        return e.extract(tensor, at);
      });
  return {expanded, identity(loops)};
}

Value Emitter::collapse(Value tensor, ArrayRef<ReassociationIndices> groups) {
  if (groups.size() == static_cast<size_t>(typeOf(tensor).getRank()))
    return tensor;
  return tensor::CollapseShapeOp::create(*this, tensor, groups);
}

Value Emitter::expand(Value tensor, ArrayRef<OpFoldResult> shape,
                      ArrayRef<ReassociationIndices> groups) {
  RankedTensorType type = typeOf(tensor);
  if (shape.size() == static_cast<size_t>(type.getRank()))
    return tensor;
  SmallVector<int64_t> sizes;
  SmallVector<OpFoldResult> mixed;
  for (OpFoldResult size : shape) {
    auto constant = getConstantIntValue(size);
    sizes.push_back(constant.value_or(ShapedType::kDynamic));
    mixed.push_back(constant ? OpFoldResult(attr(*constant)) : size);
  }
  // Upstream cannot lower an expansion of one dim to several dynamic ones.
  auto isDynamic = [&](int64_t member) { return ShapedType::isDynamic(sizes[member]); };
  if (llvm::any_of(groups, [&](const ReassociationIndices &group) {
        return llvm::count_if(group, isDynamic) > 1;
      })) {
    SmallVector<Value> values;
    for (OpFoldResult size : mixed)
      values.push_back(index(size));
    auto shapeType = RankedTensorType::get({static_cast<int64_t>(values.size())}, getIndexType());
    Value shapeTensor = tensor::FromElementsOp::create(*this, shapeType, values);
    return tensor::ReshapeOp::create(*this, RankedTensorType::get(sizes, type.getElementType()),
                                     tensor, shapeTensor);
  }
  // A group is static as a whole or not at all: the source is cast to agree.
  SmallVector<int64_t> source(type.getShape());
  for (auto [dim, group] : llvm::enumerate(groups)) {
    int64_t product = 1;
    for (int64_t member : group)
      product = ShapedType::isDynamic(product) || ShapedType::isDynamic(sizes[member])
                    ? ShapedType::kDynamic
                    : product * sizes[member];
    if (ShapedType::isDynamic(product) != type.isDynamicDim(dim))
      source[dim] = product;
  }
  tensor = castTo(tensor, RankedTensorType::get(source, type.getElementType()));
  return tensor::ExpandShapeOp::create(*this, RankedTensorType::get(sizes, type.getElementType()),
                                       tensor, groups, mixed);
}

Value Emitter::splitDim(Value tensor, unsigned dim, ArrayRef<OpFoldResult> sizes) {
  Extents shape = extentsOf(tensor), result;
  SmallVector<ReassociationIndices> groups;
  for (unsigned i = 0; i < shape.size(); ++i) {
    ReassociationIndices group;
    for (OpFoldResult size : i == dim ? sizes : ArrayRef<OpFoldResult>(shape[i])) {
      group.push_back(result.size());
      result.push_back(size);
    }
    groups.push_back(group);
  }
  return expand(tensor, result, groups);
}

Value Emitter::joinDims(Value tensor, unsigned first, unsigned last) {
  SmallVector<ReassociationIndices> groups;
  for (unsigned i = 0, rank = typeOf(tensor).getRank(); i < rank; ++i) {
    if (i > first && i <= last)
      groups.back().push_back(i);
    else
      groups.push_back({static_cast<int64_t>(i)});
  }
  return collapse(tensor, groups);
}

/// The extents of `type` as expressions; nothing if one is not known.
static std::optional<SmallVector<dougong::DimExpr>> exprsOf(RankedTensorType type) {
  SmallVector<dougong::DimExpr> result;
  auto dims = dyn_cast_if_present<DimsAttr>(type.getEncoding());
  for (auto [index, size] : llvm::enumerate(type.getShape())) {
    if (!ShapedType::isDynamic(size)) {
      result.push_back(dougong::DimExpr(size));
      continue;
    }
    if (!dims || !dims.getExprs()[index])
      return std::nullopt;
    auto parsed = dougong::DimExpr::parse(std::string_view(dims.getExprs()[index].getValue()));
    if (!parsed)
      return std::nullopt;
    result.push_back(*parsed);
  }
  return result;
}

/// Pairs of runs of source and target dims with equal products, in order; the
/// runs are as short as can be. Nothing if only the whole is equal.
static std::optional<
    std::pair<SmallVector<ReassociationIndices>, SmallVector<ReassociationIndices>>>
pairDims(ArrayRef<dougong::DimExpr> source, ArrayRef<dougong::DimExpr> target) {
  SmallVector<ReassociationIndices> from, to;
  size_t i = 0, j = 0;
  while (i < source.size() && j < target.size()) {
    bool found = false;
    for (size_t total = 2; !found && total <= source.size() - i + target.size() - j; ++total)
      for (size_t a = 1; !found && a < total && i + a <= source.size(); ++a) {
        size_t b = total - a;
        if (j + b > target.size())
          continue;
        dougong::DimExpr left(1), right(1);
        for (size_t k = 0; k < a; ++k)
          left = left * source[i + k];
        for (size_t k = 0; k < b; ++k)
          right = right * target[j + k];
        if (!(left == right))
          continue;
        found = true;
        ReassociationIndices &fromGroup = from.emplace_back(), &toGroup = to.emplace_back();
        for (size_t k = 0; k < a; ++k)
          fromGroup.push_back(i++);
        for (size_t k = 0; k < b; ++k)
          toGroup.push_back(j++);
      }
    if (!found)
      return std::nullopt;
  }
  // What is left on one side can only be dims of extent 1.
  for (; i < source.size(); ++i) {
    if (from.empty() || source[i].constant() != 1)
      return std::nullopt;
    from.back().push_back(i);
  }
  for (; j < target.size(); ++j) {
    if (to.empty() || target[j].constant() != 1)
      return std::nullopt;
    to.back().push_back(j);
  }
  return std::pair{from, to};
}

Value Emitter::reshape(Value tensor, Type original, RankedTensorType result) {
  auto from = cast<RankedTensorType>(original);
  int64_t rank = from.getRank(), resultRank = result.getRank();
  auto all = [](int64_t count) {
    SmallVector<ReassociationIndices> groups(1);
    for (int64_t i = 0; i < count; ++i)
      groups[0].push_back(i);
    return groups;
  };
  if (rank == 0 && resultRank == 0)
    return tensor;
  if (resultRank == 0 || rank == 0) {
    // All extents are 1; groups are empty lists.
    SmallVector<ReassociationIndices> none;
    if (resultRank == 0) {
      SmallVector<int64_t> ones(rank, 1);
      tensor = castTo(tensor, RankedTensorType::get(ones, from.getElementType()));
      return collapse(tensor, none);
    }
    Extents ones(resultRank, attr(1));
    return expand(tensor, ones, none);
  }
  Extents shape = extents(result);
  auto sourceExprs = exprsOf(from), targetExprs = exprsOf(result);
  if (sourceExprs && targetExprs)
    if (auto pairs = pairDims(*sourceExprs, *targetExprs))
      return expand(collapse(tensor, pairs->first), shape, pairs->second);
  return expand(collapse(tensor, all(rank)), shape, all(resultRank));
}

Value Emitter::transpose(Value tensor, ArrayRef<int64_t> permutation) {
  Extents shape = extentsOf(tensor), result;
  for (int64_t dim : permutation)
    result.push_back(shape[dim]);
  Value init = empty(result, typeOf(tensor).getElementType());
  return linalg::TransposeOp::create(*this, tensor, init, permutation)->getResult(0);
}

Value Emitter::slice(Value tensor, int64_t dim, OpFoldResult offset, OpFoldResult size) {
  Extents sizes = extentsOf(tensor);
  Extents offsets(sizes.size(), attr(0)), strides(sizes.size(), attr(1));
  offsets[dim] = offset;
  sizes[dim] = size;
  // A slice of nothing may lie behind the last element, which extract_slice refuses, and
  // so does one of a tensor without elements.
  if (typeOf(tensor).getShape()[dim] == 0 ||
      llvm::any_of(sizes, [](OpFoldResult size) { return isConstantIntValue(size, 0); }))
    return empty(sizes, typeOf(tensor).getElementType());
  return tensor::ExtractSliceOp::create(*this, tensor, offsets, sizes, strides);
}

Value Emitter::concat(ArrayRef<Value> tensors, int64_t axis, ArrayRef<OpFoldResult> shape) {
  Value result = empty(shape, typeOf(tensors.front()).getElementType());
  Extents offsets(shape.size(), attr(0)), strides(shape.size(), attr(1));
  for (Value tensor : tensors) {
    Extents sizes = extentsOf(tensor);
    if (llvm::is_contained(typeOf(tensor).getShape(), 0))
      continue; // nothing, perhaps behind the last element, which insert_slice refuses
    result = tensor::InsertSliceOp::create(*this, tensor, result, offsets, sizes, strides);
    offsets[axis] = addSizes(offsets[axis], sizes[axis]);
  }
  return result;
}

Value Emitter::pad(Value tensor, ArrayRef<OpFoldResult> low, ArrayRef<OpFoldResult> high,
                   Value value) {
  auto isZero = [](OpFoldResult size) { return isConstantIntValue(size, 0); };
  if (llvm::all_of(low, isZero) && llvm::all_of(high, isZero))
    return tensor;
  return tensor::PadOp::create(*this, Type(), tensor, low, high, value);
}

Value Emitter::convertTensor(Value tensor, Type element, bool fromUnsigned, bool toUnsigned) {
  RankedTensorType type = typeOf(tensor);
  if (type.getElementType() == element)
    return tensor;
  return pointwise(extentsOf(tensor), element, {{tensor, identity(type.getRank())}},
                   [&](Emitter &e, ValueRange args) {
                     return e.convert(args[0], element, fromUnsigned, toUnsigned);
                   });
}

SmallVector<Value> Emitter::repeat(OpFoldResult count, ValueRange inits, LoopBody body) {
  auto loop =
      scf::ForOp::create(*this, index(int64_t{0}), index(count), index(int64_t{1}), inits,
                         [&](OpBuilder &builder, Location loc, Value iv, ValueRange carried) {
                           Emitter inner(loc, builder);
                           SmallVector<Value> results = body(inner, iv, carried);
                           scf::YieldOp::create(inner, results);
                         });
  return SmallVector<Value>(loop.getResults());
}

SmallVector<Value> Emitter::repeatNest(ArrayRef<OpFoldResult> shape, ValueRange inits,
                                       NestBody body) {
  SmallVector<Value> indices;
  std::function<SmallVector<Value>(Emitter &, ValueRange)> nest =
      [&](Emitter &e, ValueRange carried) -> SmallVector<Value> {
    if (indices.size() == shape.size())
      return body(e, indices, carried);
    return e.repeat(shape[indices.size()], carried, [&](Emitter &inner, Value iv, ValueRange args) {
      indices.push_back(iv);
      SmallVector<Value> results = nest(inner, args);
      indices.pop_back();
      return results;
    });
  };
  return nest(*this, inits);
}

Value Emitter::repeatNest(ArrayRef<OpFoldResult> shape, Value init,
                          function_ref<Value(Emitter &, ValueRange, Value)> body) {
  auto results =
      repeatNest(shape, ValueRange(init), [&](Emitter &e, ValueRange indices, ValueRange carried) {
        return SmallVector<Value>{body(e, indices, carried[0])};
      });
  return results.front();
}

SmallVector<Value> Emitter::when(Value condition, ValueRange otherwise,
                                 function_ref<SmallVector<Value>(Emitter &)> body) {
  auto op = scf::IfOp::create(
      *this, condition,
      [&](OpBuilder &builder, Location loc) {
        Emitter inner(loc, builder);
        SmallVector<Value> results = body(inner);
        scf::YieldOp::create(inner, results);
      },
      [&](OpBuilder &builder, Location loc) { scf::YieldOp::create(builder, loc, otherwise); });
  return SmallVector<Value>(op.getResults());
}

OpFoldResult Emitter::integerAt(const Integers &integers, unsigned i) {
  if (integers.constants)
    return attr((*integers.constants)[i]);
  SmallVector<Value> at;
  if (typeOf(integers.tensor).getRank() > 0)
    at.push_back(index(static_cast<int64_t>(i)));
  return toIndex(extract(integers.tensor, at));
}
