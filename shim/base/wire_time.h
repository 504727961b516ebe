// Host only. Times as messages carry them.
#pragma once

#include <chrono>

#include "wire.pb.h"

namespace runsc::shim {

inline wire::Timestamp to_wire(std::chrono::system_clock::time_point time) {
  const auto nanoseconds =
      std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
  wire::Timestamp stamp;
  stamp.set_seconds(nanoseconds / 1'000'000'000);
  stamp.set_nanos(static_cast<int32_t>(nanoseconds % 1'000'000'000));
  return stamp;
}

}  // namespace runsc::shim
