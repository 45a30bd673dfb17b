// The settings of TLS. Inside of the server; names Boost and OpenSSL.
#pragma once

#include <boost/asio/ssl/context.hpp>

#include "serve/http/server.h"

namespace hadal::serve {

// TLS 1.2 at least, with this certificate and key. Error (kInvalidFile, kNotFound) names the file and the
// reason.
boost::asio::ssl::context make_tls_context(const TlsFiles& files);

}  // namespace hadal::serve
