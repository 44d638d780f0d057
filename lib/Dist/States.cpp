//===- States.cpp - state that is kept between steps ----------------------===//
#include "dougong/Dist/States.h"

using namespace mlir;
using namespace dougong::dist;

StringRef dougong::dist::getArgumentName(func::FuncOp main, unsigned argument) {
  auto name = main.getArgAttrOfType<StringAttr>(argument, "onnx.name");
  return name ? name.getValue() : "";
}

StringRef dougong::dist::getResultName(func::FuncOp main, unsigned result) {
  auto name = main.getResultAttrOfType<StringAttr>(result, "onnx.name");
  return name ? name.getValue() : "";
}

FailureOr<SmallVector<StatePair>> dougong::dist::getStates(ModuleOp module, func::FuncOp main) {
  SmallVector<StatePair> states;
  auto list = module->getAttrOfType<ArrayAttr>(statesAttrName);
  if (!list)
    return states;
  for (Attribute entry : list) {
    auto pair = dyn_cast<ArrayAttr>(entry);
    if (!pair || pair.size() != 2 || !isa<StringAttr>(pair[0]) || !isa<StringAttr>(pair[1]))
      return module.emitError() << statesAttrName
                                << " must list pairs [input, output] of names, got " << entry;
    auto input = cast<StringAttr>(pair[0]), output = cast<StringAttr>(pair[1]);
    std::optional<unsigned> argument, result;
    for (unsigned index = 0; index < main.getNumArguments(); ++index)
      if (getArgumentName(main, index) == input)
        argument = index;
    for (unsigned index = 0; index < main.getNumResults(); ++index)
      if (getResultName(main, index) == output)
        result = index;
    if (!argument)
      return main.emitError() << "state " << input << " is not an input of the model";
    if (!result)
      return main.emitError() << "state " << output << " is not an output of the model";
    states.push_back({*argument, *result});
  }
  return states;
}

LogicalResult dougong::dist::tieStates(ModuleOp module, func::FuncOp main,
                                       Propagation &propagation) {
  FailureOr<SmallVector<StatePair>> states = getStates(module, main);
  if (failed(states))
    return failure();
  Operation *terminator = main.front().getTerminator();
  for (StatePair state : *states) {
    Value argument = main.getArgument(state.argument);
    Value result = terminator->getOperand(state.result);
    auto argumentType = dyn_cast<RankedTensorType>(argument.getType());
    auto resultType = dyn_cast<RankedTensorType>(result.getType());
    // Extents that are known must agree; others may grow from step to step.
    auto agree = [](auto extents) {
      auto [one, other] = extents;
      return one == other || ShapedType::isDynamic(one) || ShapedType::isDynamic(other);
    };
    if (!argumentType || !resultType || argumentType.getRank() != resultType.getRank() ||
        argumentType.getElementType() != resultType.getElementType() ||
        !llvm::all_of(llvm::zip(argumentType.getShape(), resultType.getShape()), agree))
      return main.emitError() << "state \"" << getArgumentName(main, state.argument)
                              << "\" has type " << argument.getType() << ", which output \""
                              << getResultName(main, state.result) << "\" of type "
                              << result.getType() << " cannot become";
    propagation.tie(argument, result);
  }
  return success();
}
