// The network interfaces of a sandbox, by number. More may come while it runs; none goes before the set does.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <utility>

#include "kernel/base/result.h"
#include "kvm/hostcall/wire_calls.h"
#include "kvm/monitor/wire/wire_pump.h"

namespace runsc::monitor {

class WireSet {
 public:
  unsigned count() const { return count_.load(std::memory_order_acquire); }
  // Null: there is none. Any thread.
  WirePump* find(unsigned number) const { return number < count() ? wires_[number].get() : nullptr; }
  // Gives it the next number. EMFILE. By one thread at a time.
  Result<void> add(std::unique_ptr<WirePump> wire) {
    const unsigned number = count();
    if (number == wires_.size()) return Errno::mfile;
    wires_[number] = std::move(wire);
    count_.store(number + 1, std::memory_order_release);
    return {};
  }

 private:
  std::array<std::unique_ptr<WirePump>, hostcall::kMaxWires> wires_;
  std::atomic<unsigned> count_{0};
};

}  // namespace runsc::monitor
