#include "shim/ttrpc/frame.h"

#include <algorithm>

namespace runsc::shim {
namespace {

uint32_t read_big_endian(std::string_view bytes) {
  uint32_t number = 0;
  for (const char byte : bytes) number = number << 8 | static_cast<uint8_t>(byte);
  return number;
}

void append_big_endian(std::string& bytes, uint32_t number) {
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(number >> shift));
}

}  // namespace

void FrameReader::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    if (!in_payload_) {
      const size_t part = std::min(bytes.size(), kFrameHeaderSize - header_.size());
      header_.append(bytes.substr(0, part));
      bytes.remove_prefix(part);
      if (header_.size() < kFrameHeaderSize) return;
      finish_header();
    } else {
      const size_t part = std::min(bytes.size(), missing_);
      if (!frame_.oversized) frame_.payload.append(bytes.substr(0, part));
      bytes.remove_prefix(part);
      missing_ -= part;
    }
    if (in_payload_ && missing_ == 0) {
      ready_.push_back(std::move(frame_));
      in_payload_ = false;
    }
  }
}

void FrameReader::finish_header() {
  const std::string_view header = header_;
  frame_ = Frame();
  missing_ = read_big_endian(header.substr(0, 4));
  frame_.stream = read_big_endian(header.substr(4, 4));
  frame_.type = static_cast<uint8_t>(header[8]);
  frame_.flags = static_cast<uint8_t>(header[9]);
  frame_.oversized = missing_ > kMaxPayload;
  header_.clear();
  in_payload_ = true;
}

std::optional<Frame> FrameReader::next() {
  if (ready_.empty()) return std::nullopt;
  Frame frame = std::move(ready_.front());
  ready_.pop_front();
  return frame;
}

std::string make_frame(uint32_t stream, uint8_t type, std::string_view payload) {
  std::string bytes;
  bytes.reserve(kFrameHeaderSize + payload.size());
  append_big_endian(bytes, static_cast<uint32_t>(payload.size()));
  append_big_endian(bytes, stream);
  bytes.push_back(static_cast<char>(type));
  bytes.push_back(0);
  bytes.append(payload);
  return bytes;
}

std::string make_response(uint32_t stream, const Result<std::string>& answer) {
  ::ttrpc::Response response;
  if (answer) {
    response.set_payload(*answer);
  } else {
    response.mutable_status()->set_code(static_cast<int32_t>(answer.error().code));
    response.mutable_status()->set_message(answer.error().message);
  }
  const std::string payload = response.SerializeAsString();
  if (payload.size() > kMaxPayload) {
    return make_response(stream,
                         refuse(Code::resource_exhausted, "the answer is longer than a message may be"));
  }
  return make_frame(stream, kFrameResponse, payload);
}

Result<std::optional<::ttrpc::Request>> RequestFilter::accept(const Frame& frame) {
  if (frame.type != kFrameRequest && frame.type != kFrameData) return std::nullopt;
  if (frame.oversized) {
    return refuse(Code::resource_exhausted,
                  "message exceeds the maximum of " + std::to_string(kMaxPayload) + " bytes");
  }
  if (frame.stream % 2 != 1) {
    return refuse(Code::invalid_argument, "stream numbers of a client are odd");
  }
  if (frame.type == kFrameData) return refuse(Code::invalid_argument, "no stream of this number is open");
  if (frame.stream <= last_stream_) return refuse(Code::invalid_argument, "stream numbers must grow");
  last_stream_ = frame.stream;
  if ((frame.flags & kFlagRemoteOpen) != 0) {
    return refuse(Code::unimplemented, "no method takes a stream of messages");
  }
  ::ttrpc::Request request;
  if (!request.ParseFromString(frame.payload)) return refuse(Code::invalid_argument, "malformed request");
  return request;
}

Result<std::string> read_response(const Frame& frame) {
  ::ttrpc::Response response;
  if (frame.oversized || !response.ParseFromString(frame.payload)) {
    return refuse(Code::internal, "malformed response");
  }
  if (response.status().code() != 0) {
    return refuse(static_cast<Code>(response.status().code()), response.status().message());
  }
  return std::move(*response.mutable_payload());
}

}  // namespace runsc::shim
