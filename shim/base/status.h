// Host only. What a request may fail with: gRPC's codes, which containerd turns back into its own errors.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <utility>

namespace runsc::shim {

// https://grpc.io/docs/guides/status-codes: the numbers are part of the protocol.
enum class Code : int32_t {
  ok = 0,
  unknown = 2,
  invalid_argument = 3,
  deadline_exceeded = 4,
  not_found = 5,
  already_exists = 6,
  resource_exhausted = 8,
  failed_precondition = 9,
  unimplemented = 12,
  internal = 13,
  unavailable = 14,
};

struct Status {
  Code code = Code::unknown;
  std::string message;
};

template <typename T>
using Result = std::expected<T, Status>;

inline std::unexpected<Status> refuse(Code code, std::string message) {
  return std::unexpected(Status{code, std::move(message)});
}

}  // namespace runsc::shim
