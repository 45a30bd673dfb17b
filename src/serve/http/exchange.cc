#include "serve/http/exchange.h"

#include <boost/asio/post.hpp>

#include "serve/http/connection.h"

namespace hadal::serve {

namespace asio = boost::asio;

void Exchange::wake() {
  if (!armed_.exchange(false)) return;
  const auto io = io_.lock();
  if (!io) return;
  asio::post(*io, [self = shared_from_this()] {
    if (const auto connection = self->connection_.lock()) connection->notify();
  });
}

void Exchange::deliver(CountedAnswer answer) {
  const auto io = io_.lock();
  if (!io) return;
  asio::post(*io, [self = shared_from_this(), answer = std::move(answer)]() mutable {
    if (const auto connection = self->connection_.lock()) connection->deliver(*self, std::move(answer));
  });
}

}  // namespace hadal::serve
