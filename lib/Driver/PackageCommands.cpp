//===- PackageCommands.cpp - dougong check and explain --------------------===//
#include "dougong/Driver/Commands.h"

#include "Options.h"
#include "Packages.h"
#include "dougong/Package/Check.h"
#include "dougong/Package/Describe.h"
#include "dougong/Package/Explain.h"
#include "dougong/Package/Plan.h"

#include <CLI/CLI.hpp>

#include "llvm/Support/raw_ostream.h"

using namespace dougong;

Command dougong::addCheckCommand(CLI::App &app) {
  struct Options {
    std::string package;
    bool json = false, quiet = false;
  };
  auto options = std::make_shared<Options>();
  app.add_option("package", options->package, "package folder")->required();
  app.add_flag("--json", options->json, "findings and work of each rank as JSON");
  app.add_flag("--quiet", options->quiet, "errors only, no warnings");
  app.footer("Example: dougong check package --json");
  return [options] {
    Result<plan::v1::Plan> plan = readPlan(options->package);
    if (!plan && !options->json)
      return refuse(plan.message(), exitInfeasible);
    std::vector<Finding> findings = checkPackage(options->package);
    if (options->quiet)
      std::erase_if(findings,
                    [](const Finding &finding) { return finding.severity != Severity::Error; });
    if (options->json) {
      // A plan that cannot be read is a finding too.
      Json::Object object = plan ? planFactsToJson(*plan) : Json::Object();
      object["findings"] = findingsToJson(findings);
      if (plan)
        if (Result<std::vector<RankWork>> work = rankWork(*plan, {}))
          object["ranks"] = rankWorkToJson(*work);
      llvm::outs() << Json(object).print() << "\n";
    } else {
      llvm::outs() << findingsToText(findings);
    }
    return hasErrors(findings) ? exitInfeasible : exitOk;
  };
}

Command dougong::addExplainCommand(CLI::App &app) {
  struct Options {
    std::string package, subject;
    std::vector<std::string> dims;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  app.add_option("package", options->package, "package folder")->required();
  app.add_option("subject", options->subject,
                 "an ONNX node, a value, a weight, a stage, or a rank (\"rank 3\"); all of the "
                 "package if it is left out");
  addCommaOption(app, "--dim", options->dims, "value of a symbol: NAME=8; several with commas");
  app.add_flag("--json", options->json, "as JSON");
  app.footer("Example: dougong explain package 'rank 3'");
  return [options] {
    Result<plan::v1::Plan> plan = readUnchangedPlan(options->package);
    if (!plan)
      return refuse(plan.message(), exitInfeasible);
    DescribeOptions describe;
    for (const std::string &dim : options->dims) {
      auto [name, text] = llvm::StringRef(dim).split('=');
      int64_t value = 0;
      if (name.empty() || text.getAsInteger(10, value) || value < 0)
        return refuse("--dim '" + dim + "' must be NAME=NUMBER", exitUsage);
      describe.symbols[name.str()] = value;
    }
    if (options->subject.empty()) {
      llvm::outs() << (options->json ? planToJson(*plan, describe).print() + "\n"
                                     : describePlan(*plan, describe));
      return exitOk;
    }
    Result<Explanation> explanation = explainPlan(*plan, options->subject, describe.symbols);
    if (!explanation)
      return refuse(options->package + ": " + explanation.message());
    llvm::outs() << (options->json ? explanation->toJson().print() + "\n" : explanation->text);
    return exitOk;
  };
}
