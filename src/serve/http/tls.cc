#include "serve/http/tls.h"

#include <filesystem>
#include <string>

#include "base/error.h"

namespace hadal::serve {
namespace {

namespace ssl = boost::asio::ssl;
using boost::system::error_code;

void require_file(const std::string& path, std::string_view what) {
  if (!std::filesystem::is_regular_file(path))
    fail(ErrorCode::kNotFound, "{}: there is no such file; expected the {} as PEM", path, what);
}

}  // namespace

ssl::context make_tls_context(const TlsFiles& files) {
  require_file(files.certificate, "server's certificate");
  require_file(files.key, "certificate's private key");
  ssl::context context(ssl::context::tls_server);
  SSL_CTX* const native = context.native_handle();
  SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
  // A client must not make us compute handshakes at will; idle connections must not keep buffers.
  SSL_CTX_set_options(native, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);
  error_code error;
  // Nobody is there to type one.
  context.set_password_callback([](size_t, ssl::context::password_purpose) { return std::string(); }, error);
  context.use_certificate_chain_file(files.certificate, error);
  if (error)
    fail(ErrorCode::kInvalidFile, "{}: expected a PEM certificate and its chain: {}", files.certificate,
         error.message());
  context.use_private_key_file(files.key, ssl::context::pem, error);
  if (error)
    fail(ErrorCode::kInvalidFile, "{}: expected the PEM private key, without password, of {}: {}", files.key,
         files.certificate, error.message());
  return context;
}

}  // namespace hadal::serve
