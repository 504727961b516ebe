#include "shim/base/async.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>

#include "shim/base/log.h"

namespace runsc::shim {
namespace {

Async<void> wait_for_cancel(asio::steady_timer& timer) {
  boost::system::error_code ignored;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

}  // namespace

void detach(asio::io_context& loop, const char* what, Async<void> work) {
  asio::co_spawn(loop, std::move(work), [what](std::exception_ptr error) {
    if (!error) return;
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& exception) {
      log_error("{}: {}", what, exception.what());
    } catch (...) {
      log_error("{}: unknown exception", what);
    }
  });
}

Async<void> sleep_for(asio::io_context& loop, std::chrono::steady_clock::duration time) {
  asio::steady_timer timer(loop, time);
  co_await wait_for_cancel(timer);
}

Event::Event(asio::io_context& loop) : state_(std::make_shared<State>(loop)) {}

void Event::set() {
  state_->set = true;
  state_->timer.cancel();
}

Async<void> Event::wait() const { return wait_on(state_); }

Async<bool> Event::wait_for(std::chrono::steady_clock::duration limit) const {
  return wait_on_for(state_, limit);
}

Async<void> Event::wait_on(std::shared_ptr<State> state) {
  while (!state->set) co_await wait_for_cancel(state->timer);
}

Async<bool> Event::wait_on_for(std::shared_ptr<State> state, std::chrono::steady_clock::duration limit) {
  auto late = std::make_shared<bool>(false);
  asio::steady_timer timer(state->timer.get_executor(), limit);
  timer.async_wait([late, state](const boost::system::error_code& error) {
    if (error) return;
    *late = true;
    state->timer.cancel();
  });
  while (!state->set && !*late) co_await wait_for_cancel(state->timer);
  co_return state->set;
}

Async<AsyncMutex::Guard> AsyncMutex::lock_on(std::shared_ptr<State> state) {
  while (state->locked) co_await wait_for_cancel(state->timer);
  state->locked = true;
  co_return Guard(std::move(state));
}

}  // namespace runsc::shim
