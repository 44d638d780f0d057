//===- Sha256Test.cpp - digests against published vectors -----------------===//

#include "dougong/Support/Sha256.h"

#include <cstdlib>
#include <fstream>
#include <gtest/gtest.h>

using namespace dougong;

namespace {

// FIPS 180-2 appendix B and NIST's SHA-256 examples.
TEST(Sha256, PublishedVectors) {
  EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmno"
                   "ijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu"),
            "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
  EXPECT_EQ(sha256(std::string(1000000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, PiecesOfAnySizeGiveTheSameDigest) {
  const std::string text(1000, 'a');
  const std::string whole = sha256(text);
  for (std::size_t step : {1, 3, 55, 56, 63, 64, 65, 127, 129}) {
    Sha256 hash;
    for (std::size_t i = 0; i < text.size(); i += step)
      hash.update(std::string_view(text).substr(i, step));
    EXPECT_EQ(hash.finish(), whole) << "step " << step;
  }
}

TEST(Sha256, PortableCodeGivesTheSameDigest) {
  for (std::size_t size = 0; size != 300; ++size) {
    Sha256 portable(/*portable=*/true);
    portable.update(std::string(size, 'b'));
    EXPECT_EQ(portable.finish(), sha256(std::string(size, 'b'))) << size;
  }
  Sha256 portable(/*portable=*/true);
  portable.update("abc");
  EXPECT_EQ(portable.finish(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Sha256, FileIsHashedAndAMissingOneNamed) {
  std::string path = testing::TempDir() + "dougong-sha256-test";
  std::ofstream(path, std::ios::binary) << "abc";
  auto digest = sha256File(path);
  ASSERT_TRUE(digest) << digest.message();
  EXPECT_EQ(*digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  std::remove(path.c_str());
  auto missing = sha256File(path);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.message(), "cannot read '" + path + "': No such file or directory");
}

} // namespace
