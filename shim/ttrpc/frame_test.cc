#include "shim/ttrpc/frame.h"

#include <catch2/catch.hpp>
#include <random>

using namespace runsc::shim;

namespace {

std::string request_frame(uint32_t stream, const std::string& method, uint8_t flags = 0) {
  ::ttrpc::Request request;
  request.set_service("s");
  request.set_method(method);
  std::string bytes = make_frame(stream, kFrameRequest, request.SerializeAsString());
  bytes[9] = static_cast<char>(flags);
  return bytes;
}

std::vector<Frame> frames_of(const std::string& bytes, size_t part) {
  FrameReader reader;
  std::vector<Frame> frames;
  for (size_t at = 0; at < bytes.size(); at += part) {
    reader.feed(std::string_view(bytes).substr(at, part));
    while (std::optional<Frame> frame = reader.next()) frames.push_back(std::move(*frame));
  }
  return frames;
}

}  // namespace

TEST_CASE("frames are found however the bytes arrive", "[shim]") {
  const std::string bytes =
      request_frame(1, "one") + make_frame(3, kFrameResponse, "") + request_frame(5, "two");
  for (const size_t part : {size_t{1}, size_t{3}, size_t{10}, size_t{11}, bytes.size()}) {
    const std::vector<Frame> frames = frames_of(bytes, part);
    REQUIRE(frames.size() == 3);
    CHECK(frames[0].stream == 1);
    CHECK(frames[0].type == kFrameRequest);
    CHECK(frames[1].payload.empty());
    CHECK(frames[2].stream == 5);
  }
}

TEST_CASE("an oversized message is passed over, the next is read", "[shim]") {
  std::string bytes = make_frame(1, kFrameRequest, std::string(kMaxPayload + 1, 'x'));
  bytes += request_frame(3, "after");
  const std::vector<Frame> frames = frames_of(bytes, 65536);
  REQUIRE(frames.size() == 2);
  CHECK(frames[0].oversized);
  CHECK(frames[0].payload.empty());
  RequestFilter filter;
  const auto refused = filter.accept(frames[0]);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::resource_exhausted);
  const auto taken = filter.accept(frames[1]);
  REQUIRE(taken);
  CHECK((*taken)->method() == "after");
}

TEST_CASE("a payload of the greatest length is taken", "[shim]") {
  const std::vector<Frame> frames =
      frames_of(make_frame(1, kFrameRequest, std::string(kMaxPayload, 'x')), 1 << 20);
  REQUIRE(frames.size() == 1);
  CHECK_FALSE(frames[0].oversized);
  CHECK(frames[0].payload.size() == kMaxPayload);
}

TEST_CASE("stream numbers are odd and grow", "[shim]") {
  RequestFilter filter;
  const auto code = [&](const std::string& bytes) {
    const auto result = filter.accept(frames_of(bytes, bytes.size()).at(0));
    return result ? Code::ok : result.error().code;
  };
  CHECK(code(request_frame(3, "m")) == Code::ok);
  CHECK(code(request_frame(4, "m")) == Code::invalid_argument);
  CHECK(code(request_frame(3, "m")) == Code::invalid_argument);
  CHECK(code(request_frame(1, "m")) == Code::invalid_argument);
  CHECK(code(request_frame(5, "m", kFlagRemoteOpen)) == Code::unimplemented);
  CHECK(code(make_frame(7, kFrameRequest, "\xff\xff")) == Code::invalid_argument);
  CHECK(code(make_frame(3, kFrameData, "d")) == Code::invalid_argument);
  CHECK(code(request_frame(9, "m")) == Code::ok);
}

TEST_CASE("frames of unknown types are ignored", "[shim]") {
  RequestFilter filter;
  for (const uint8_t type : {0, 2, 4, 255}) {
    const auto result = filter.accept(frames_of(make_frame(1, type, "x"), 4).at(0));
    REQUIRE(result);
    CHECK_FALSE(*result);
  }
}

TEST_CASE("any bytes are frames", "[shim]") {
  std::mt19937 random(20260101);
  for (int round = 0; round < 200; ++round) {
    std::string bytes(random() % 400, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random() % 5 == 0 ? random() : 0);
    RequestFilter filter;
    for (const Frame& frame : frames_of(bytes, 1 + random() % 50)) {
      CHECK((frame.oversized || frame.payload.size() <= kMaxPayload));
      (void)filter.accept(frame);
    }
  }
}

TEST_CASE("an answer too long to be sent becomes a refusal", "[shim]") {
  const std::string bytes = make_response(1, std::string(kMaxPayload, 'x'));
  const Result<std::string> answer = read_response(frames_of(bytes, bytes.size()).at(0));
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == Code::resource_exhausted);
}

TEST_CASE("refusals travel with code and text", "[shim]") {
  const std::string bytes = make_response(7, refuse(Code::not_found, "gone"));
  const Frame frame = frames_of(bytes, 2).at(0);
  CHECK(frame.stream == 7);
  const Result<std::string> answer = read_response(frame);
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == Code::not_found);
  CHECK(answer.error().message == "gone");
}
