//===- FleetToIRTest.cpp - fleets as IR, and back --------------------------===//
#include "dougong/Fleet/FleetToIR.h"

#include "dougong/Fleet/Catalog.h"
#include "dougong/Fleet/Yaml.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

using namespace dougong::fleet;

namespace {

class FleetToIR : public ::testing::Test {
protected:
  FleetToIR() { context.loadDialect<FleetDialect>(); }

  mlir::OwningOpRef<mlir::ModuleOp> build(const Fleet &fleet) {
    mlir::OpBuilder builder(&context);
    mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(builder.getUnknownLoc());
    builder.setInsertionPointToStart(module->getBody());
    buildSite(builder, builder.getUnknownLoc(), fleet);
    return module;
  }

  static SiteOp siteOf(mlir::ModuleOp module) { return *module.getOps<SiteOp>().begin(); }

  mlir::FailureOr<Fleet> parse(llvm::StringRef text) {
    module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    if (!module)
      return mlir::failure();
    return readSite(siteOf(*module));
  }

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

TEST_F(FleetToIR, EveryCatalogueEntrySurvivesPrintingAndParsing) {
  for (const CatalogEntry &entry : getCatalog()) {
    if (entry.kind == CatalogEntry::Kind::Sources)
      continue;
    llvm::Expected<Fleet> fleet = loadFleet(entry.name);
    ASSERT_TRUE(bool(fleet)) << llvm::toString(fleet.takeError());
    mlir::OwningOpRef<mlir::ModuleOp> built = build(*fleet);
    ASSERT_TRUE(mlir::succeeded(mlir::verify(*built))) << entry.name.str();
    std::string text;
    llvm::raw_string_ostream stream(text);
    built->print(stream);
    mlir::FailureOr<Fleet> again = parse(text);
    ASSERT_TRUE(mlir::succeeded(again)) << text;
    EXPECT_TRUE(*again == *fleet) << text << writeFleet(*again);
  }
}

TEST_F(FleetToIR, FourLinesAreAFleet) {
  mlir::FailureOr<Fleet> fleet = parse("fleet.site @lab {\n"
                                       "  fleet.pool @ascend chip(@ascend_910b3) count(2)\n"
                                       "  fleet.pool @metax chip(@metax_c500) count(2)\n"
                                       "}\n");
  ASSERT_TRUE(mlir::succeeded(fleet));
  EXPECT_EQ(fleet->name, "lab");
  ASSERT_EQ(fleet->pools.size(), 2u);
  EXPECT_EQ(fleet->getChip(fleet->pools[0])->vendor, "Huawei");
  EXPECT_EQ(fleet->getChip(fleet->pools[1])->vendor, "MetaX");
  EXPECT_EQ(fleet->pools[0].chipsPerNode, 2u);
}

TEST_F(FleetToIR, ChipWrittenByHandNeedsNoForms) {
  mlir::FailureOr<Fleet> fleet =
      parse("fleet.site @s {\n"
            "  fleet.chip @x vendor(\"v\") domestic target(\"cpu\") stand_in\n"
            "      peak({fp16 = #fleet.figure<1.0e14 \"OP/s\" published \"P\">})\n"
            "      memory(<1024 \"B\" recalled>) details({warp = 1})\n"
            "  fleet.pool @p chip(@x) count(4) nodes(2)\n"
            "}\n");
  // 'warp' is no key of a chip
  EXPECT_TRUE(mlir::failed(fleet));
  fleet = parse("fleet.site @s {\n"
                "  fleet.chip @x vendor(\"v\") domestic target(\"cpu\") stand_in\n"
                "      peak({fp16 = #fleet.figure<1.0e14 \"OP/s\" published \"P\">})\n"
                "      memory(<1024 \"B\" recalled>)\n"
                "  fleet.pool @p chip(@x) count(4) nodes(2)\n"
                "}\n");
  ASSERT_TRUE(mlir::succeeded(fleet));
  const Chip &chip = fleet->chips.at(0);
  EXPECT_TRUE(chip.domestic);
  EXPECT_TRUE(chip.runsOnStandIn());
  EXPECT_EQ(chip.getPeak("fp16")->value, 1e14);
  EXPECT_EQ(chip.getUsableBytes(), 1024u);
  EXPECT_EQ(fleet->pools[0].chipsPerNode, 2u);
}

TEST_F(FleetToIR, EqualNamesOfPoolChipAndLevelStayApart) {
  llvm::Expected<Fleet> fleet = readFleet("name: n\n"
                                          "chips: [{id: x, vendor: v, domestic: true}]\n"
                                          "levels: [{name: x, size: 4}]\n"
                                          "pools: [{id: x, chip: x, count: 4, path: [x]}]\n",
                                          "f.yaml");
  ASSERT_TRUE(bool(fleet)) << llvm::toString(fleet.takeError());
  mlir::OwningOpRef<mlir::ModuleOp> built = build(*fleet);
  ASSERT_TRUE(mlir::succeeded(mlir::verify(*built)));
  mlir::FailureOr<Fleet> again = readSite(siteOf(*built));
  ASSERT_TRUE(mlir::succeeded(again));
  EXPECT_TRUE(*again == *fleet);
}

TEST_F(FleetToIR, UnknownChipIsRefusedAtTheSite) {
  std::string message;
  mlir::ScopedDiagnosticHandler handler(
      &context, [&](mlir::Diagnostic &diagnostic) { message += diagnostic.str(); });
  EXPECT_TRUE(mlir::failed(parse("fleet.site @s { fleet.pool @p chip(@nochip) count(1) }")));
  EXPECT_NE(message.find("unknown chip 'nochip'"), std::string::npos) << message;
}

} // namespace
