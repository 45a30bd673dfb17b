// A certificate made on the spot, and a client that speaks TLS. For tests.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <stdexcept>

#include "serve/http/raw_client.h"
#include "serve/http/server.h"
#include "support/files.h"

namespace hadal::serve {

// A key and a certificate for localhost that it signed itself, as files in `folder`.
inline TlsFiles make_certificate(const hadal::test::TempFolder& folder, const std::string& name = "server") {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), X509_free);
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_pubkey(certificate.get(), key.get());
  X509_NAME* const subject = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("localhost"),
                             -1, -1, 0);
  X509_set_issuer_name(certificate.get(), subject);
  X509_sign(certificate.get(), key.get(), EVP_sha256());

  TlsFiles files{folder / (name + ".pem"), folder / (name + ".key")};
  const auto write = [](const std::string& path, const auto& body) {
    const std::unique_ptr<BIO, decltype(&BIO_free)> file(BIO_new_file(path.c_str(), "w"), BIO_free);
    if (!file || body(file.get()) != 1) throw std::runtime_error("cannot write " + path);
  };
  write(files.certificate, [&](BIO* file) { return PEM_write_bio_X509(file, certificate.get()); });
  write(files.key, [&](BIO* file) {
    return PEM_write_bio_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
  return files;
}

class TlsClient final : public RawClient {
 public:
  // Throws unless the handshake succeeds. 0: any version.
  explicit TlsClient(int port, int version = 0)
      : RawClient(port), context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free), ssl_(nullptr, SSL_free) {
    SSL_CTX_set_security_level(context_.get(), 0);
    if (version != 0) {
      SSL_CTX_set_min_proto_version(context_.get(), version);
      SSL_CTX_set_max_proto_version(context_.get(), version);
    }
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_fd(ssl_.get(), fd());
    if (SSL_connect(ssl_.get()) != 1) throw std::runtime_error("the TLS handshake failed");
  }

  std::string version() const { return SSL_get_version(ssl_.get()); }
  // Says goodbye without closing the socket.
  void close_notify() { SSL_shutdown(ssl_.get()); }
  // Whether the server said goodbye before its end of the socket closed.
  bool was_told_goodbye() const { return (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0; }

 private:
  ssize_t transmit(std::string_view bytes) override {
    return SSL_write(ssl_.get(), bytes.data(), static_cast<int>(std::min<size_t>(bytes.size(), 1 << 20)));
  }
  ssize_t receive(char* bytes, size_t n) override { return SSL_read(ssl_.get(), bytes, static_cast<int>(n)); }

  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_;
};

}  // namespace hadal::serve
