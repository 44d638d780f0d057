//===- LibraryCalls.cpp - operators that are library functions ------------===//
#include "LibraryCalls.h"

#include "Bodies.h"
#include "Grouping.h"

#include "Onnx/IR/Onnx.h"
#include "dougong/Onnx/Values.h"
#include "dougong/Support/DimExpr.h"

#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/xxhash.h"

using namespace mlir;
using namespace dougong;

namespace {

/// Writes attributes as dougong::AttributeReader reads them.
class AttributeWriter {
public:
  AttributeWriter &integer(int64_t value) {
    values.push_back(value);
    return *this;
  }
  AttributeWriter &real(double value) { return integer(llvm::bit_cast<int64_t>(value)); }
  AttributeWriter &text(StringRef value) {
    integer(value.size());
    for (char c : value)
      integer(static_cast<unsigned char>(c));
    return *this;
  }
  AttributeWriter &integers(ArrayRef<int64_t> list) {
    integer(list.size());
    values.append(list.begin(), list.end());
    return *this;
  }
  AttributeWriter &reals(ArrayRef<float> list) {
    integer(list.size());
    for (float value : list)
      real(value);
    return *this;
  }
  AttributeWriter &texts(std::optional<ArrayAttr> list) {
    integer(list ? list->size() : 0);
    if (list)
      for (StringRef value : list->getAsValueRange<StringAttr>())
        text(value);
    return *this;
  }
  AttributeWriter &axis(std::optional<uint64_t> value) {
    return integer(value.has_value()).integer(static_cast<int64_t>(value.value_or(0)));
  }

  SmallVector<int64_t> values;
};

/// A function of the library and its attributes.
struct LibraryFunction {
  StringRef name; ///< empty: the operator is none
  AttributeWriter attributes;
};

bool isText(Value value) { return isa<onnx::StringType>(getElementTypeOrSelf(value.getType())); }

/// The conversion from or to texts, if it is one.
LibraryFunction convertText(Operation *op) {
  bool from = isText(op->getOperand(0)), to = isText(op->getResult(0));
  return {to ? "CastToString" : from ? "CastFromString" : "", {}};
}

/// Keys or values of a LabelEncoder, which has them in one of four attributes: 1
/// and texts, or 0 and numbers.
void writeLabels(AttributeWriter &attributes, std::optional<ElementsAttr> tensor,
                 std::optional<ArrayAttr> texts, std::optional<ArrayRef<int64_t>> integers,
                 std::optional<ArrayRef<float>> reals) {
  auto dense = tensor ? dyn_cast<DenseElementsAttr>(*tensor) : DenseElementsAttr();
  if (auto strings = dyn_cast_if_present<DenseStringElementsAttr>(dense)) {
    attributes.integer(1).integer(strings.getNumElements());
    for (StringRef text : strings.getValues<StringRef>())
      attributes.text(text);
  } else if (dense) {
    attributes.integer(0).integer(dense.getNumElements());
    if (isa<FloatType>(dense.getElementType()))
      for (APFloat value : dense.getValues<APFloat>()) {
        bool lossy;
        value.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &lossy);
        attributes.real(value.convertToDouble());
      }
    else
      for (APInt value : dense.getValues<APInt>())
        attributes.real(static_cast<double>(value.getSExtValue()));
  } else if (texts) {
    attributes.integer(1).texts(texts);
  } else if (integers) {
    attributes.integer(0).integer(integers->size());
    for (int64_t value : *integers)
      attributes.real(static_cast<double>(value));
  } else {
    attributes.integer(0).reals(reals.value_or(ArrayRef<float>()));
  }
}

/// The seed of a node: the one that it states or, so that a model always gives the
/// same, a hash of its name.
template <typename OpTy> AttributeWriter writeSeed(OpTy op) {
  auto isStated = [](const auto &seed) { return seed.has_value(); };
  int64_t seed = static_cast<int64_t>(llvm::xxh3_64bits(onnx::getNodeName(op.getLoc())) >> 32);
  if (isStated(op.getSeed())) {
    if constexpr (std::is_same_v<std::decay_t<decltype(*op.getSeed())>, APFloat>)
      seed = static_cast<int64_t>(op.getSeed()->convertToDouble());
    else
      seed = static_cast<int64_t>(*op.getSeed());
  }
  return AttributeWriter().integer(seed);
}

void writeNumbers(AttributeWriter &attributes, std::optional<ElementsAttr> numbers) {
  writeLabels(attributes, numbers, std::nullopt, std::nullopt, std::nullopt);
}

AttributeWriter writeTrees(onnx::MlTreeEnsembleOp op) {
  AttributeWriter attributes;
  attributes.integer(op.getAggregateFunction()).integer(op.getPostTransform());
  attributes.integers(op.getTreeRoots()).integers(op.getNodesFeatureids());
  attributes.integers(op.getNodesTruenodeids()).integers(op.getNodesTrueleafs());
  attributes.integers(op.getNodesFalsenodeids()).integers(op.getNodesFalseleafs());
  attributes.integers(op.getNodesMissingValueTracksTrue().value_or(ArrayRef<int64_t>()));
  attributes.integers(op.getLeafTargetids());
  writeNumbers(attributes, op.getNodesModes());
  writeNumbers(attributes, op.getNodesSplits());
  writeNumbers(attributes, op.getLeafWeights());
  writeNumbers(attributes, op.getMembershipValues());
  return attributes;
}

LibraryFunction getLibraryFunction(Operation *operation) {
  return TypeSwitch<Operation *, LibraryFunction>(operation)
      .Case([](onnx::NonZeroOp) { return LibraryFunction{"NonZero", {}}; })
      .Case([](onnx::CompressOp op) {
        return LibraryFunction{"Compress", AttributeWriter().axis(op.getAxis())};
      })
      .Case([](onnx::UniqueOp op) {
        return LibraryFunction{"Unique",
                               AttributeWriter().axis(op.getAxis()).integer(op.getSorted())};
      })
      .Case([](onnx::NonMaxSuppressionOp op) {
        return LibraryFunction{"NonMaxSuppression",
                               AttributeWriter().integer(op.getCenterPointBox())};
      })
      .Case([](onnx::StringConcatOp) { return LibraryFunction{"StringConcat", {}}; })
      .Case([](onnx::StringSplitOp op) {
        int64_t most = op.getMaxsplit() ? static_cast<int64_t>(*op.getMaxsplit()) : -1;
        return LibraryFunction{
            "StringSplit", AttributeWriter().text(op.getDelimiter().value_or("")).integer(most)};
      })
      .Case([](onnx::StringNormalizerOp op) {
        return LibraryFunction{"StringNormalizer", AttributeWriter()
                                                       .text(op.getCaseChangeAction())
                                                       .integer(op.getIsCaseSensitive())
                                                       .texts(op.getStopwords())};
      })
      .Case([](onnx::RegexFullMatchOp op) {
        return LibraryFunction{"RegexFullMatch",
                               AttributeWriter().text(op.getPattern().value_or(""))};
      })
      .Case([](onnx::EqualOp op) {
        return LibraryFunction{isText(op.getA()) ? "EqualString" : "", {}};
      })
      .Case<onnx::CastOp, onnx::CastLikeOp>([](Operation *op) { return convertText(op); })
      .Case([](onnx::ImageDecoderOp op) {
        return LibraryFunction{"ImageDecoder", AttributeWriter().text(op.getPixelFormat())};
      })
      .Case([](onnx::DetOp) { return LibraryFunction{"Det", {}}; })
      .Case([](onnx::TfIdfVectorizerOp op) {
        AttributeWriter attributes;
        attributes.integer(op.getMinGramLength()).integer(op.getMaxGramLength());
        attributes.integer(op.getMaxSkipCount()).text(op.getMode());
        attributes.integers(op.getNgramCounts()).integers(op.getNgramIndexes());
        attributes.integers(op.getPoolInt64s().value_or(ArrayRef<int64_t>()));
        attributes.texts(op.getPoolStrings());
        attributes.reals(op.getWeights().value_or(ArrayRef<float>()));
        return LibraryFunction{"TfIdfVectorizer", attributes};
      })
      .Case([](onnx::MlLabelEncoderOp op) {
        AttributeWriter attributes;
        writeLabels(attributes, op.getKeysTensor(), op.getKeysStrings(), op.getKeysInt64s(),
                    op.getKeysFloats());
        writeLabels(attributes, op.getValuesTensor(), op.getValuesStrings(), op.getValuesInt64s(),
                    op.getValuesFloats());
        int64_t whole = op.getDefaultInt64();
        float real[] = {op.getDefaultFloat().convertToFloat()};
        ArrayAttr text = Builder(op.getContext()).getStrArrayAttr({op.getDefaultString()});
        auto given = op.getDefaultTensor();
        bool isText = isa<onnx::StringType>(getElementTypeOrSelf(op->getResult(0).getType()));
        bool isReal = isa<FloatType>(getElementTypeOrSelf(op->getResult(0).getType()));
        writeLabels(attributes, given, isText ? std::optional(text) : std::nullopt,
                    isReal ? std::nullopt : std::optional<ArrayRef<int64_t>>(whole),
                    std::optional<ArrayRef<float>>(real));
        return LibraryFunction{"LabelEncoder", attributes};
      })
      .Case([](onnx::MlArrayFeatureExtractorOp) {
        return LibraryFunction{"ArrayFeatureExtractor", {}};
      })
      .Case([](onnx::MlBinarizerOp op) {
        return LibraryFunction{"Binarizer",
                               AttributeWriter().real(op.getThreshold().convertToDouble())};
      })
      .Case<onnx::SequenceConstructOp, onnx::SequenceEmptyOp, onnx::SequenceAtOp,
            onnx::SequenceInsertOp, onnx::SequenceEraseOp, onnx::SequenceLengthOp, onnx::OptionalOp,
            onnx::OptionalGetElementOp, onnx::OptionalHasElementOp>(
          [](auto op) { return LibraryFunction{op.getOperationName().rsplit('.').second, {}}; })
      .Case<onnx::RandomUniformOp, onnx::RandomUniformLikeOp>([](auto op) {
        return LibraryFunction{
            "RandomUniform",
            writeSeed(op).real(op.getLow().convertToDouble()).real(op.getHigh().convertToDouble())};
      })
      .Case<onnx::RandomNormalOp, onnx::RandomNormalLikeOp>([](auto op) {
        return LibraryFunction{"RandomNormal", writeSeed(op)
                                                   .real(op.getMean().convertToDouble())
                                                   .real(op.getScale().convertToDouble())};
      })
      .Case([](onnx::MultinomialOp op) { return LibraryFunction{"Multinomial", writeSeed(op)}; })
      .Case([](onnx::DropoutOp op) -> LibraryFunction {
        bool mayDrop = op->getNumOperands() > 2 && !isa<NoneType>(op->getOperand(2).getType());
        return {mayDrop ? "Dropout" : "", writeSeed(op)};
      })
      .Case([](onnx::MaxRoiPoolOp op) {
        ArrayRef<int64_t> shape = op.getPooledShape();
        return LibraryFunction{"MaxRoiPool", AttributeWriter()
                                                 .real(op.getSpatialScale().convertToDouble())
                                                 .integer(shape[0])
                                                 .integer(shape[1])};
      })
      .Case([](onnx::MelWeightMatrixOp) { return LibraryFunction{"MelWeightMatrix", {}}; })
      .Case(
          [](onnx::MlTreeEnsembleOp op) { return LibraryFunction{"TreeEnsemble", writeTrees(op)}; })
      .Case([](onnx::SplitToSequenceOp op) {
        return LibraryFunction{"SplitToSequence",
                               AttributeWriter().integer(op.getAxis()).integer(op.getKeepdims())};
      })
      .Case([](onnx::ConcatFromSequenceOp op) {
        return LibraryFunction{"ConcatFromSequence",
                               AttributeWriter().integer(op.getAxis()).integer(op.getNewAxis())};
      })
      .Case([](onnx::ConstantOp op) -> LibraryFunction {
        // Texts have no place among the constants of a kernel.
        AttributeWriter attributes;
        if (auto dense = dyn_cast_if_present<DenseStringElementsAttr>(op.getValueAttr())) {
          attributes.integer(dense.getNumElements());
          for (StringRef value : dense.getValues<StringRef>())
            attributes.text(value);
        } else if (auto text = op.getValueString()) {
          attributes.integer(1).text(*text);
        } else if (auto texts = op.getValueStrings()) {
          attributes.texts(*texts);
        } else {
          return {};
        }
        return {"ConstantString", attributes};
      })
      .Default(LibraryFunction());
}

/// The function that computes all extents of result `index` from the operands.
LibraryFunction getExtentsFunction(Operation *operation, unsigned index) {
  auto slots = [](int64_t axis, Value result) {
    return axis < 0 ? axis + cast<RankedTensorType>(result.getType()).getRank() : axis;
  };
  return TypeSwitch<Operation *, LibraryFunction>(operation)
      .Case([](onnx::ReshapeOp op) {
        return LibraryFunction{"ExtentsOfReshape", AttributeWriter().integer(op.getAllowzero())};
      })
      .Case([](onnx::ExpandOp) { return LibraryFunction{"ExtentsOfExpand", {}}; })
      .Case([](onnx::TileOp) { return LibraryFunction{"ExtentsOfTile", {}}; })
      .Case([](onnx::RangeOp) { return LibraryFunction{"ExtentsOfRange", {}}; })
      .Case([](onnx::ConstantOfShapeOp) { return LibraryFunction{"ExtentsOfConstantOfShape", {}}; })
      .Case([](onnx::SliceOp) { return LibraryFunction{"ExtentsOfSlice", {}}; })
      .Case([](onnx::PadOp) { return LibraryFunction{"ExtentsOfPad", {}}; })
      .Case([&](onnx::TopKOp op) {
        return LibraryFunction{"ExtentsOfTopK",
                               AttributeWriter().integer(slots(op.getAxis(), op->getResult(0)))};
      })
      .Case([&](onnx::OneHotOp op) {
        return LibraryFunction{"ExtentsOfOneHot",
                               AttributeWriter().integer(slots(op.getAxis(), op->getResult(0)))};
      })
      .Case([](onnx::ResizeOp op) {
        AttributeWriter attributes;
        attributes.integers(op.getAxes().value_or(ArrayRef<int64_t>()));
        attributes.text(op.getKeepAspectRatioPolicy());
        return LibraryFunction{"ExtentsOfResize", attributes};
      })
      .Case([&](onnx::SplitOp op) {
        return LibraryFunction{"ExtentsOfSplit", AttributeWriter()
                                                     .integer(slots(op.getAxis(), op->getResult(0)))
                                                     .integer(index)
                                                     .integer(op->getNumResults())};
      })
      .Case([](onnx::UnsqueezeOp) { return LibraryFunction{"ExtentsOfUnsqueeze", {}}; })
      .Case([](onnx::SqueezeOp) { return LibraryFunction{"ExtentsOfSqueeze", {}}; })
      .Case([](onnx::DFTOp op) {
        return LibraryFunction{
            "ExtentsOfDFT", AttributeWriter().integer(op.getInverse()).integer(op.getOnesided())};
      })
      .Case([](onnx::AffineGridOp) { return LibraryFunction{"ExtentsOfAffineGrid", {}}; })
      .Case([](onnx::Col2ImOp) { return LibraryFunction{"ExtentsOfCol2Im", {}}; })
      .Case<onnx::ReduceSumOp, onnx::ReduceMeanOp, onnx::ReduceMaxOp, onnx::ReduceMinOp,
            onnx::ReduceProdOp, onnx::ReduceL1Op, onnx::ReduceL2Op, onnx::ReduceLogSumOp,
            onnx::ReduceLogSumExpOp, onnx::ReduceSumSquareOp>([](auto op) {
        return LibraryFunction{
            "ExtentsOfReduce",
            AttributeWriter().integer(op.getKeepdims()).integer(op.getNoopWithEmptyAxes())};
      })
      .Default(LibraryFunction());
}

/// Makes launches of one function body.
class LibraryCalls {
public:
  explicit LibraryCalls(func::FuncOp main) : main(main) {
    for (auto [index, type] : llvm::enumerate(main.getArgumentTypes())) {
      addSymbols(type, known);
      if (auto extents = main.getArgAttrOfType<ArrayAttr>(index, bodyExtentsAttrName))
        for (StringRef symbol : extents.getAsValueRange<StringAttr>())
          if (Result<DimExpr> parsed = DimExpr::parse(symbol.str()))
            known.insert(parsed->name());
    }
  }

  void run() {
    for (Operation &op : llvm::make_early_inc_range(main.getBody().front())) {
      bool hasBodies = needsBodies(&op, known);
      LibraryFunction function = hasBodies ? LibraryFunction() : getLibraryFunction(&op);
      bool isCall = !function.name.empty();
      if (!isCall && !hasBodies)
        addExtents(&op);
      if (hasBodies)
        replaceByBodies(&op);
      for (Value result : op.getResults())
        addSymbols(result.getType(), known);
      if (isCall)
        replace(&op, function);
      else if (hasBodies)
        op.erase();
    }
  }

private:
  /// The symbols that extents of `type` are and that no value before has.
  SmallVector<Attribute> getNewSymbols(RankedTensorType type, bool &any) {
    Builder builder(main.getContext());
    SmallVector<Attribute> symbols(type.getRank(), builder.getStringAttr(""));
    auto dims = dyn_cast_if_present<onnx::DimsAttr>(type.getEncoding());
    for (int64_t dim = 0; dims && dim < type.getRank(); ++dim) {
      StringAttr expr = dims.getExprs()[dim];
      Result<DimExpr> parsed = expr ? DimExpr::parse(expr.getValue()) : DimExpr(0);
      if (!expr || !parsed || parsed->kind() != DimExpr::Kind::Symbol ||
          known.contains(parsed->name()))
        continue;
      symbols[dim] = expr;
      any = true;
    }
    return symbols;
  }

  void addExtents(Operation *op) {
    if (op->getDialect()->getNamespace() != "onnx")
      return;
    // The other results of an operator have extents of result 0, but for parts.
    unsigned count = isa<onnx::SplitOp>(op) ? op->getNumResults() : 1;
    for (unsigned index = 0; index < std::min(count, op->getNumResults()); ++index)
      addExtents(op, index);
  }

  void addExtents(Operation *op, unsigned index) {
    auto type = dyn_cast<RankedTensorType>(op->getResult(index).getType());
    bool any = false;
    SmallVector<Attribute> symbols = type ? getNewSymbols(type, any) : SmallVector<Attribute>();
    // The extents of an Expand may be known while its target, which must fit, is not.
    bool checks = false;
    if (auto expand = dyn_cast<onnx::ExpandOp>(op)) {
      Operation *target = expand.getShape().getDefiningOp();
      checks = !target || !onnx::isConstantSource(target);
    }
    LibraryFunction function = any || checks ? getExtentsFunction(op, index) : LibraryFunction();
    if (function.name.empty()) // the schedule names what is missing
      return;
    OpBuilder builder(op);
    auto result = RankedTensorType::get({type.getRank()}, builder.getI64Type());
    onnx::LaunchOp launch = makeLaunch(builder, op, function, {result}, {0}, op->getOperands());
    launch->setAttr(libraryExtentsAttrName, builder.getArrayAttr(symbols));
    if (type)
      addSymbols(type, known);
  }

  /// Puts a launch in the place of an operator, which is left without uses.
  void replaceUses(Operation *op, const LibraryFunction &function, ValueRange operands,
                   ArrayRef<Attribute> bodies = {}) {
    OpBuilder builder(op);
    SmallVector<Type> types;
    SmallVector<int64_t> tensors;
    SmallVector<Value> results;
    for (Value result : op->getResults()) {
      if (isa<NoneType>(result.getType())) {
        tensors.push_back(-1);
        continue;
      }
      tensors.push_back(types.size());
      types.push_back(result.getType());
      results.push_back(result);
    }
    onnx::LaunchOp launch = makeLaunch(builder, op, function, types, tensors, operands);
    if (!bodies.empty())
      launch->setAttr(libraryBodiesAttrName, builder.getArrayAttr(bodies));
    for (auto [result, output] : llvm::zip_equal(results, launch.getOutputs()))
      result.replaceAllUsesWith(output);
    for (Value result : op->getResults())
      if (!result.use_empty()) {
        OpBuilder none(op);
        result.replaceAllUsesWith(onnx::NoneOp::create(none, op->getLoc(), none.getNoneType()));
      }
  }

  void replace(Operation *op, const LibraryFunction &function) {
    replaceUses(op, function, op->getOperands());
    op->erase();
  }

  /// Loop: {results, carried values}; If: {results, values that the first branch takes}.
  void replaceByBodies(Operation *op) {
    SmallVector<Value> operands(op->getOperands());
    SmallVector<Attribute> bodies;
    int64_t count = isa<onnx::LoopOp>(op) ? op->getNumOperands() - 2 : 0;
    SmallVector<Region *> regions;
    if (auto branch = dyn_cast<onnx::IfOp>(op))
      regions = {&branch.getThenBranch(), &branch.getElseBranch()};
    else
      regions = {&op->getRegion(0)};
    for (Region *region : regions) {
      Body body = outlineBody(op, *region, known);
      bodies.push_back(body.function);
      llvm::append_range(operands, body.captured);
      if (isa<onnx::IfOp>(op) && region == regions[0])
        count = body.captured.size();
    }
    replaceUses(op,
                {isa<onnx::LoopOp>(op) ? "Loop" : "If",
                 AttributeWriter().integer(op->getNumResults()).integer(count)},
                operands, bodies);
  }

  onnx::LaunchOp makeLaunch(OpBuilder &builder, Operation *op, const LibraryFunction &function,
                            ArrayRef<Type> types, SmallVector<int64_t> tensors,
                            ValueRange operands) {
    SmallVector<Value> inputs;
    for (Value operand : operands) {
      bool isAbsent = isa<NoneType>(operand.getType());
      tensors.push_back(isAbsent ? -1 : static_cast<int64_t>(types.size() + inputs.size()));
      if (!isAbsent)
        inputs.push_back(operand);
    }
    auto launch = onnx::LaunchOp::create(builder, op->getLoc(), types, function.name, inputs);
    launch->setAttr(libraryAttrName, builder.getStringAttr(function.name));
    launch->setAttr(libraryAttributesAttrName,
                    builder.getDenseI64ArrayAttr(function.attributes.values));
    launch->setAttr(libraryTensorsAttrName, builder.getDenseI64ArrayAttr(tensors));
    return launch;
  }

  func::FuncOp main;
  llvm::StringSet<> known;
};

} // namespace

bool dougong::isLibraryOperator(Operation *op) { return !getLibraryFunction(op).name.empty(); }

void dougong::formLibraryCalls(func::FuncOp function) { LibraryCalls(function).run(); }
