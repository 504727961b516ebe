// Host only. Coroutines of the one Asio loop, and the two things that they wait for each other with.
// Everything in the shim runs on one thread, so a coroutine is alone between two co_await.
#pragma once

#include <utility>  // first: awaitable.hpp of Boost 1.74 forgets it

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>

namespace runsc::shim {

namespace asio = boost::asio;

template <typename T>
using Async = asio::awaitable<T>;

// Runs on its own from here on; an exception ends it with a line in the log.
void detach(asio::io_context& loop, const char* what, Async<void> work);

Async<void> sleep_for(asio::io_context& loop, std::chrono::steady_clock::duration time);

// Something that happens once. A copy is the same event, and outlives the object that it was copied from.
class Event {
 public:
  explicit Event(asio::io_context& loop);

  bool is_set() const { return state_->set; }
  void set();
  Async<void> wait() const;
  // False when the time was up first.
  Async<bool> wait_for(std::chrono::steady_clock::duration limit) const;

 private:
  struct State {
    explicit State(asio::io_context& loop) : timer(loop, asio::steady_timer::time_point::max()) {}
    asio::steady_timer timer;  // never expires; cancelled to wake those who wait
    bool set = false;
  };

  static Async<void> wait_on(std::shared_ptr<State> state);
  static Async<bool> wait_on_for(std::shared_ptr<State> state, std::chrono::steady_clock::duration limit);

  std::shared_ptr<State> state_;
};

// One coroutine at a time between lock() and the end of what it returned.
class AsyncMutex {
  struct State {
    explicit State(asio::io_context& loop) : timer(loop, asio::steady_timer::time_point::max()) {}
    asio::steady_timer timer;
    bool locked = false;
  };

 public:
  class Guard {
   public:
    explicit Guard(std::shared_ptr<State> state) : state_(std::move(state)) {}
    Guard(Guard&&) noexcept = default;
    Guard& operator=(Guard&&) = delete;
    Guard(const Guard&) = delete;
    ~Guard() {
      if (!state_) return;
      state_->locked = false;
      state_->timer.cancel_one();
    }

   private:
    std::shared_ptr<State> state_;
  };

  explicit AsyncMutex(asio::io_context& loop) : state_(std::make_shared<State>(loop)) {}
  Async<Guard> lock() const { return lock_on(state_); }

 private:
  static Async<Guard> lock_on(std::shared_ptr<State> state);

  std::shared_ptr<State> state_;
};

}  // namespace runsc::shim
