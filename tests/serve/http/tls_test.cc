#include "serve/http/tls.h"

#include <gtest/gtest.h>

#include "serve/http/tls_support.h"

namespace hadal::serve {
namespace {

TEST(TlsContext, TakesACertificateAndItsKey) {
  hadal::test::TempFolder folder;
  const TlsFiles files = make_certificate(folder);
  EXPECT_EQ(SSL_CTX_check_private_key(make_tls_context(files).native_handle()), 1);
}

TEST(TlsContext, NamesTheFileThatIsWrong) {
  hadal::test::TempFolder folder;
  const TlsFiles good = make_certificate(folder), other = make_certificate(folder, "other");
  const std::string nothing = folder / "nothing.pem", junk = folder.write("junk.pem", "not PEM");

  EXPECT_TRUE(hadal::test::error_of(ErrorCode::kNotFound, [&] {
                make_tls_context({nothing, good.key});
              }).starts_with(nothing));
  EXPECT_TRUE(hadal::test::error_of(ErrorCode::kNotFound, [&] {
                make_tls_context({good.certificate, folder.path()});
              }).starts_with(folder.path().string()));
  EXPECT_TRUE(hadal::test::invalid_file([&] { make_tls_context({junk, good.key}); }).starts_with(junk));
  EXPECT_TRUE(
      hadal::test::invalid_file([&] { make_tls_context({good.certificate, junk}); }).starts_with(junk));
  const std::string mismatch =
      hadal::test::invalid_file([&] { make_tls_context({good.certificate, other.key}); });
  EXPECT_TRUE(mismatch.starts_with(other.key)) << mismatch;
  EXPECT_NE(mismatch.find(good.certificate), std::string::npos) << mismatch;
}

// A key with a password must not make the server ask for it on a terminal.
TEST(TlsContext, AKeyWithAPasswordIsRefused) {
  hadal::test::TempFolder folder;
  TlsFiles files = make_certificate(folder);
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  files.key = folder / "locked.key";
  {
    const std::unique_ptr<BIO, decltype(&BIO_free)> file(BIO_new_file(files.key.c_str(), "w"), BIO_free);
    char password[] = "secret";
    ASSERT_EQ(
        PEM_write_bio_PrivateKey(file.get(), key.get(), EVP_aes_128_cbc(), nullptr, 0, nullptr, password), 1);
  }
  EXPECT_TRUE(hadal::test::invalid_file([&] { make_tls_context(files); }).starts_with(files.key));
}

}  // namespace
}  // namespace hadal::serve
