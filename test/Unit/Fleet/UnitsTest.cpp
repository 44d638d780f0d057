//===- UnitsTest.cpp - numbers with unit suffixes --------------------------===//
#include "dougong/Fleet/Figure.h"

#include <gtest/gtest.h>

using namespace dougong::fleet;

namespace {

double parse(llvm::StringRef text, Quantity quantity) {
  llvm::Expected<double> value = parseQuantity(text, quantity);
  if (value)
    return *value;
  ADD_FAILURE() << text.str() << ": " << llvm::toString(value.takeError());
  return 0;
}

std::string failure(llvm::StringRef text, Quantity quantity) {
  llvm::Expected<double> value = parseQuantity(text, quantity);
  return value ? "accepted" : llvm::toString(value.takeError());
}

TEST(Units, BinaryAndDecimalPrefixesOfBytesDiffer) {
  EXPECT_EQ(parse("64GiB", Quantity::Bytes), 68719476736.0);
  EXPECT_EQ(parse("64GB", Quantity::Bytes), 64e9);
  EXPECT_EQ(parse("512", Quantity::Bytes), 512.0);
  EXPECT_EQ(parse(" 1.5 KiB ", Quantity::Bytes), 1536.0);
}

TEST(Units, BitsAreAnEighthOfBytes) {
  EXPECT_EQ(parse("400Gb/s", Quantity::Rate), 50e9);
  EXPECT_EQ(parse("392GB/s", Quantity::Rate), 392e9);
}

TEST(Units, TimesAreTheNearestDouble) {
  EXPECT_EQ(parse("10us", Quantity::Time), 1e-5);
  EXPECT_EQ(parse("1.8us", Quantity::Time), 1.8e-6);
  EXPECT_EQ(parse("3ns", Quantity::Time), 3e-9);
  EXPECT_EQ(parse("2h", Quantity::Time), 7200.0);
}

TEST(Units, ExponentIsToldFromPrefixE) {
  EXPECT_EQ(parse("1EFLOP/s", Quantity::OpRate), 1e18);
  EXPECT_EQ(parse("1e3", Quantity::Count), 1000.0);
  EXPECT_EQ(parse("2E+2TOP/s", Quantity::OpRate), 2e14);
}

TEST(Units, RatiosMayBePercents) {
  EXPECT_EQ(parse("50%", Quantity::Ratio), 0.5);
  EXPECT_EQ(parse("0.85", Quantity::Ratio), 0.85);
}

TEST(Units, NegativeZeroAndInfiniteNumbersAreRefused) {
  for (llvm::StringRef text : {"0", "-1", "-0.0", "0GiB", "1e-400", "1e-2147483648"})
    EXPECT_NE(failure(text, Quantity::Bytes), "accepted") << text.str();
  EXPECT_NE(failure("1e400", Quantity::Bytes), "accepted");
  EXPECT_NE(failure("1e308GB", Quantity::Bytes), "accepted");
  EXPECT_NE(failure("inf", Quantity::Bytes), "accepted");
  EXPECT_NE(failure("nan", Quantity::Bytes), "accepted");
  EXPECT_EQ(failure("-4GB", Quantity::Bytes),
            "number must be above zero, got '-4GB'; leave out what is not known");
}

TEST(Units, UnknownUnitIsRefusedWithTheKnownOnes) {
  EXPECT_EQ(failure("10W", Quantity::Frequency), "unknown unit 'W'; known here: Hz, kHz, MHz, GHz");
  EXPECT_EQ(failure("7GB", Quantity::Count), "expected a plain number, got unit 'GB'");
  EXPECT_EQ(failure("many", Quantity::Count), "expected a number, got 'many'");
  // Case matters: b is a bit, B a byte, and M is not m.
  EXPECT_NE(failure("10gb", Quantity::Bytes), "accepted");
}

TEST(Units, PrintedNumbersReadBackExactly) {
  const std::pair<double, Quantity> cases[] = {{68719476736.0, Quantity::Bytes},
                                               {64e9, Quantity::Bytes},
                                               {655360.0, Quantity::Bytes},
                                               {1234567.0, Quantity::Bytes},
                                               {614.4e9, Quantity::Rate},
                                               {25e9, Quantity::Rate},
                                               {1e-5, Quantity::Time},
                                               {1.8e-6, Quantity::Time},
                                               {0.1 + 0.2, Quantity::Time},
                                               {294.912e12, Quantity::OpRate},
                                               {1945e15 / 16384, Quantity::OpRate},
                                               {1.0 / 3, Quantity::Ratio},
                                               {16384, Quantity::Count},
                                               {350, Quantity::Power}};
  for (auto [value, quantity] : cases)
    EXPECT_EQ(parse(printQuantity(value, quantity), quantity), value)
        << printQuantity(value, quantity);
  EXPECT_EQ(printQuantity(68719476736.0, Quantity::Bytes), "64GiB");
  EXPECT_EQ(printQuantity(1e-5, Quantity::Time), "10us");
  EXPECT_EQ(printQuantity(0.5, Quantity::Ratio), "0.5");
}

TEST(Units, ProvenanceNamesReadBack) {
  for (Provenance kind :
       {Provenance::Measured, Provenance::Published, Provenance::Derived, Provenance::Recalled})
    EXPECT_EQ(parseProvenance(stringify(kind)), kind);
  EXPECT_FALSE(parseProvenance("guessed"));
  EXPECT_EQ(weaker(Provenance::Measured, Provenance::Derived), Provenance::Derived);
}

} // namespace
