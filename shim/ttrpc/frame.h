// Host only. ttrpc's frames (PROTOCOL.md of containerd/ttrpc): ten bytes of header, then a message.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "shim/base/status.h"
#include "ttrpc.pb.h"

namespace runsc::shim {

inline constexpr size_t kFrameHeaderSize = 10;
inline constexpr size_t kMaxPayload = 4u << 20;

inline constexpr uint8_t kFrameRequest = 1;
inline constexpr uint8_t kFrameResponse = 2;
inline constexpr uint8_t kFrameData = 3;
inline constexpr uint8_t kFlagRemoteOpen = 2;

struct Frame {
  uint32_t stream = 0;
  uint8_t type = 0;
  uint8_t flags = 0;
  bool oversized = false;  // the payload was longer than kMaxPayload and is not here
  std::string payload;
};

// Cuts a stream of bytes into frames. Any bytes are a sequence of frames; what is kept never exceeds one
// payload.
class FrameReader {
 public:
  void feed(std::string_view bytes);
  // The next whole frame.
  std::optional<Frame> next();

 private:
  void finish_header();

  std::string header_;
  Frame frame_;
  size_t missing_ = 0;  // bytes of the payload
  bool in_payload_ = false;
  std::deque<Frame> ready_;
};

// `payload` is at most kMaxPayload long.
std::string make_frame(uint32_t stream, uint8_t type, std::string_view payload);
// The frame of a response; an answer too long to be sent becomes a refusal.
std::string make_response(uint32_t stream, const Result<std::string>& answer);

// What a server does with frames: a request to serve, a refusal to answer with, or nothing to do.
class RequestFilter {
 public:
  Result<std::optional<::ttrpc::Request>> accept(const Frame& frame);

 private:
  uint32_t last_stream_ = 0;
};

// What a client reads from the payload of a response.
Result<std::string> read_response(const Frame& frame);

}  // namespace runsc::shim
