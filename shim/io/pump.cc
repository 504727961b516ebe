#include "shim/io/pump.h"

#include <sys/ioctl.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <vector>

namespace runsc::shim {
namespace {

constexpr size_t kChunk = 32768;
// A terminal whose last writer is gone ends by itself; this is for one that others hold open.
constexpr std::chrono::milliseconds kQuiet{200};
constexpr std::chrono::milliseconds kLook{10};
constexpr std::chrono::seconds kDrainLimit{10};

asio::posix::stream_descriptor descriptor(asio::io_context& loop, oci::UniqueFd fd) {
  asio::posix::stream_descriptor result(loop);
  if (fd) result.assign(fd.release());
  return result;
}

}  // namespace

Pump::Pump(asio::io_context& loop, oci::UniqueFd from, oci::UniqueFd to, Source source)
    : from_(descriptor(loop, std::move(from))),
      to_(descriptor(loop, std::move(to))),
      source_(source),
      last_read_(std::chrono::steady_clock::now()),
      ended_(loop) {}

std::shared_ptr<Pump> Pump::start(asio::io_context& loop, oci::UniqueFd from, oci::UniqueFd to,
                                  Source source) {
  auto pump = std::make_shared<Pump>(loop, std::move(from), std::move(to), source);
  detach(loop, "copy", copy(pump));
  return pump;
}

Async<void> Pump::copy(std::shared_ptr<Pump> self) {
  std::vector<char> chunk(kChunk);
  while (self->from_.is_open()) {
    boost::system::error_code error;
    self->reading_ = true;
    const size_t got = co_await self->from_.async_read_some(asio::buffer(chunk),
                                                            asio::redirect_error(asio::use_awaitable, error));
    self->reading_ = false;
    self->last_read_ = std::chrono::steady_clock::now();
    // The end of a terminal is EIO.
    if (error) break;
    if (!self->to_.is_open()) continue;
    co_await asio::async_write(self->to_, asio::buffer(chunk.data(), got),
                               asio::redirect_error(asio::use_awaitable, error));
    if (error && self->to_.is_open()) self->to_.close(error);
  }
  self->stop();
  self->ended_.set();
}

void Pump::stop() {
  boost::system::error_code ignored;
  if (from_.is_open()) from_.close(ignored);
  if (to_.is_open()) to_.close(ignored);
}

bool Pump::is_idle() {
  if (!reading_) return false;
  int waiting = 0;
  if (::ioctl(from_.native_handle(), FIONREAD, &waiting) == 0 && waiting > 0) return false;
  return source_ == Source::pipe || std::chrono::steady_clock::now() - last_read_ >= kQuiet;
}

Async<void> Pump::drain(std::shared_ptr<Pump> self) {
  const auto begun = std::chrono::steady_clock::now();
  // A terminal is quiet when nothing came since this was asked.
  self->last_read_ = std::max(self->last_read_, begun);
  while (!self->ended_.is_set() && !self->is_idle()) {
    if (std::chrono::steady_clock::now() - begun > kDrainLimit) break;
    co_await self->ended_.wait_for(kLook);
  }
}

}  // namespace runsc::shim
