#include "kvm/monitor/services/commands.h"

#include <catch2/catch.hpp>
#include <cstring>

#include "kvm/monitor/testing/service_fixture.h"

namespace runsc::monitor::testing {
namespace {

void answer(ServiceFixture& s, std::uint32_t id, std::string_view text, bool last, Errno* error = nullptr) {
  auto reply = s.call<hc::AnswerCommand>([&](hc::AnswerCommand::Request& r) {
    r.id = id;
    r.last = last;
    r.value = 5;
    r.length = static_cast<std::uint32_t>(text.size());
    std::memcpy(r.text, text.data(), text.size());
  });
  if (error != nullptr) *error = reply ? Errno{} : reply.error();
}

TEST_CASE("a command goes to the sentry and its answer comes back", "[monitor][commands]") {
  ServiceFixture s;
  CHECK(s.call<hc::TakeCommand>([](auto&) {})->id == 0);
  Command command;
  command.kind = hostcall::CommandKind::execute;
  command.process = 3;
  command.body.assign(10'000, 'x');
  const std::uint32_t id = s.commands->submit(command);
  auto taken = s.call<hc::TakeCommand>([](auto&) {});
  REQUIRE(taken);
  CHECK(taken->id == id);
  CHECK(taken->process == 3);
  CHECK(taken->body_size == 10'000);
  auto first = s.call<hc::ReadCommand>([&](auto& r) { r.id = id; });
  CHECK(first->size == sizeof first->bytes);
  auto second = s.call<hc::ReadCommand>([&](auto& r) {
    r.id = id;
    r.offset = first->size;
  });
  CHECK(first->size + second->size == 10'000);
  answer(s, id, "one ", false);
  CHECK(s.commands->take_notices().empty());
  answer(s, id, "two", true);
  const std::vector<Notice> notices = s.commands->take_notices();
  REQUIRE(notices.size() == 1);
  CHECK(notices[0].kind == Notice::Kind::answer);
  CHECK(notices[0].id == id);
  CHECK(notices[0].value == 5);
  CHECK(notices[0].text == "one two");
}

TEST_CASE("answers that nobody asked for are errors", "[monitor][commands]") {
  ServiceFixture s;
  Errno error{};
  answer(s, 77, "x", true, &error);
  CHECK(error == Errno::noent);
  CHECK(s.call<hc::ReadCommand>([](auto& r) { r.id = 1; }).error() == Errno::noent);
  const std::uint32_t id = s.commands->submit({});
  (void)s.call<hc::TakeCommand>([](auto&) {});
  CHECK(s.call<hc::ReadCommand>([&](auto& r) {
           r.id = id;
           r.offset = 1;
         }).error() == Errno::inval);
  CHECK(s.call<hc::AnswerCommand>([&](auto& r) {
           r.id = id;
           r.length = ~0U;
         }).error() == Errno::inval);
  answer(s, id, "", true);
  answer(s, id, "", true, &error);
  CHECK(error == Errno::noent);
  // The reason why the init did not start is the first that was given.
  answer(s, 0, "first", true);
  answer(s, 0, "second", true);
  CHECK(s.commands->start_failure()->text == "first");
}

}  // namespace
}  // namespace runsc::monitor::testing
