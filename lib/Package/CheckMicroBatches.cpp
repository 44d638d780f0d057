//===- CheckMicroBatches.cpp - parts of the batch can go one by one -------===//
//
// Ids: micro-batches. That rows do not depend on each other is proved where the plan is
// made, for it takes the operators; what the runner rests on is checked here.
//
//===----------------------------------------------------------------------===//

#include "Checker.h"
#include "dougong/Package/MicroBatches.h"

namespace dougong::package {

void checkMicroBatches(Checker &checker) {
  const auto &model = checker.plan.model();
  if (!model.has_micro_batches())
    return;
  std::int64_t count = microBatchCount(model);
  const std::string &batch = model.micro_batches().batch();
  auto fail = [&](std::string subject, std::string message) {
    checker.error("micro-batches", std::move(subject), std::move(message), "compile again");
  };
  if (count < 2 || count > maxMicroBatches)
    fail("model", "expected 2 to " + std::to_string(maxMicroBatches) + " micro-batches, got " +
                      std::to_string(count));
  if (!checker.symbols.count(batch)) {
    fail("model", "the batch " + quote(batch) + " is no symbol of the model");
    return;
  }
  std::map<std::string, std::optional<int>> dims;
  bool isGiven = false;
  for (bool isInput : {true, false})
    for (const auto &value : isInput ? model.inputs() : model.outputs()) {
      auto dim = batchDim(value, batch);
      if (!dim) {
        fail(std::string("model ") + (isInput ? "input " : "output ") + quote(value.name()),
             dim.message());
        continue;
      }
      dims[(isInput ? "<" : ">") + value.name()] = *dim;
      isGiven |= isInput && dim->has_value();
    }
  if (!isGiven)
    fail("model", "no input has the batch " + quote(batch));
  for (const auto &state : model.states())
    if (auto in = dims.find("<" + state.input()), out = dims.find(">" + state.output());
        in != dims.end() && out != dims.end() && (!in->second || in->second != out->second))
      fail("state " + quote(state.input()),
           "the batch " + quote(batch) +
               " is not a dim of its input, or not the same one of its output");
}

} // namespace dougong::package
