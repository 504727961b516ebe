// The service with a runtime that is a shell script: what is published and answered, and in which order.
#include "shim/task/task_service.h"

#include <sys/prctl.h>
#include <sys/stat.h>

#include <boost/asio/co_spawn.hpp>
#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>

#include "events.pb.h"
#include "oci/host/file_io.h"

using namespace runsc::shim;
namespace oci = runsc::oci;

namespace {

// Containers are processes of the shell's: "create" leaves one behind that waits for the file "go". Its
// program is what the file "program" holds. The pid goes where the shim wants it.
constexpr const char* kRuntime = R"sh(#!/bin/bash
while [ "${1#--}" != "$1" ]; do case $1 in --root|--log|--log-format) shift 2 ;; *) shift ;; esac; done
verb=$1; shift
case $verb in
  create|exec)
    while [ $# -gt 1 ]; do case $1 in --pid-file) file=$2; shift 2 ;; --bundle|--process) shift 2 ;; *) shift ;; esac; done
    if [ $verb = create ]; then
      (while [ ! -e go ]; do sleep 0.01; done; . ./program) &
      echo -n $! >"$file"
    else
      # Orphaned, ended and reaped by the shim before its pid is known to it.
      (parent=$BASHPID; (while kill -0 $parent; do sleep 0.01; done 2>/dev/null; . ./exec-program) & echo -n $! >pid)
      while kill -0 "$(cat pid)" 2>/dev/null; do sleep 0.01; done
      cat pid >"$file"
    fi ;;
  start) touch go; [ ! -e slow-start ] || sleep 0.3 ;;
  kill) kill -"$2" "$(cat init.pid)" ;;
  delete) [ ! -e init.pid ] || kill -9 "$(cat init.pid)" 2>/dev/null; true ;;
  pause|resume|update) ;;
  ps) echo "[$(cat init.pid)]" ;;
  *) echo "unknown command $verb" >&2; exit 1 ;;
esac
)sh";

class Recorder : public EventSink {
 public:
  using EventSink::publish;
  void publish(std::string topic, std::string, std::string) override { topics.push_back(std::move(topic)); }
  std::vector<std::string> topics;
};

class World {
 public:
  World() : loop(1), reaper(loop), service(loop, reaper, events, {"test", "/tmp/shim-test-console."}) {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    char name[] = "/tmp/shim-test.XXXXXX";
    folder = ::mkdtemp(name);
    write("runtime", kRuntime);
    ::chmod((folder + "/runtime").c_str(), 0755);
    write("runsc.toml", "binary_name = \"" + folder + "/runtime\"\nroot = \"" + folder + "/root\"\n");
    write("config.json", R"({"annotations": {"dev.runsc.config-path": ")" + folder + R"(/runsc.toml"}})");
    write("program", "exit 7\n");
    write("exec-program", "exit 9\n");
  }
  World(const World&) = delete;
  ~World() { std::filesystem::remove_all(folder); }

  void write(const std::string& name, const std::string& text) const {
    REQUIRE(oci::write_file(folder + "/" + name, text));
  }

  // Sends a request and turns the loop until it is answered.
  template <typename Request>
  Result<std::string> ask(const std::string& method, const Request& message) {
    std::optional<Result<std::string>> answer;
    ::ttrpc::Request request;
    request.set_service("containerd.task.v2.Task");
    request.set_method(method);
    request.set_payload(message.SerializeAsString());
    asio::co_spawn(loop, service.call(std::move(request)),
                   [&](std::exception_ptr error, Result<std::string> result) {
                     REQUIRE(error == nullptr);
                     answer = std::move(result);
                   });
    while (!answer) loop.run_one();
    return *answer;
  }

  template <typename Request>
  Request about(const char* exec_id = "") const {
    Request request;
    request.set_id("c");
    if constexpr (requires { request.set_exec_id(exec_id); }) request.set_exec_id(exec_id);
    return request;
  }

  void create() {
    auto request = about<task::CreateTaskRequest>();
    request.set_bundle(folder);
    const Result<std::string> answer = ask("Create", request);
    INFO((answer ? "" : answer.error().message));
    REQUIRE(answer);
  }

  Code code_of(const Result<std::string>& answer) const { return answer ? Code::ok : answer.error().code; }

  asio::io_context loop;
  Recorder events;
  Reaper reaper;
  TaskService service;
  std::string folder;
};

}  // namespace

TEST_CASE("an exit before the answer to Start is told after the start", "[shim]") {
  World world;
  world.write("slow-start", "");
  world.create();
  REQUIRE(world.ask("Start", world.about<task::StartRequest>()));
  task::WaitResponse waited;
  const auto answer = world.ask("Wait", world.about<task::WaitRequest>());
  REQUIRE(answer);
  REQUIRE(waited.ParseFromString(*answer));
  CHECK(waited.exit_status() == 7);
  CHECK(world.events.topics == std::vector<std::string>{"/tasks/create", "/tasks/start", "/tasks/exit"});
  REQUIRE(world.ask("Delete", world.about<task::DeleteRequest>()));
  CHECK(world.events.topics.back() == "/tasks/delete");
  CHECK(world.code_of(world.ask("State", world.about<task::StateRequest>())) == Code::not_found);
}

TEST_CASE("an exec that ends before its command has told its pid", "[shim]") {
  World world;
  world.write("program", "exec sleep 100\n");
  world.create();
  REQUIRE(world.ask("Start", world.about<task::StartRequest>()));
  REQUIRE(world.ask("Exec", world.about<task::ExecProcessRequest>("e")));
  CHECK(world.code_of(world.ask("Exec", world.about<task::ExecProcessRequest>("e"))) == Code::already_exists);
  REQUIRE(world.ask("Start", world.about<task::StartRequest>("e")));
  CHECK(world.code_of(world.ask("Start", world.about<task::StartRequest>("e"))) == Code::failed_precondition);
  task::WaitResponse waited;
  REQUIRE(waited.ParseFromString(world.ask("Wait", world.about<task::WaitRequest>("e")).value()));
  CHECK(waited.exit_status() == 9);
  const std::vector<std::string> wanted = {"/tasks/create", "/tasks/start", "/tasks/exec-added",
                                           "/tasks/exec-started", "/tasks/exit"};
  CHECK(world.events.topics == wanted);
  auto kill = world.about<task::KillRequest>("e");
  kill.set_signal(SIGKILL);
  CHECK(world.code_of(world.ask("Kill", kill)) == Code::not_found);
  REQUIRE(world.ask("Delete", world.about<task::DeleteRequest>("e")));
  CHECK(world.code_of(world.ask("Delete", world.about<task::DeleteRequest>())) == Code::failed_precondition);
  kill.clear_exec_id();
  REQUIRE(world.ask("Kill", kill));
  REQUIRE(waited.ParseFromString(world.ask("Wait", world.about<task::WaitRequest>()).value()));
  CHECK(waited.exit_status() == 137);
  REQUIRE(world.ask("Delete", world.about<task::DeleteRequest>()));
}

TEST_CASE("requests that cannot be served are refused by code", "[shim]") {
  World world;
  CHECK(world.code_of(world.ask("Start", world.about<task::StartRequest>())) == Code::not_found);
  CHECK(world.code_of(world.ask("NoSuchMethod", world.about<task::StartRequest>())) == Code::unimplemented);
  auto create = world.about<task::CreateTaskRequest>();
  create.set_bundle("relative");
  CHECK(world.code_of(world.ask("Create", create)) == Code::invalid_argument);
  create.set_bundle(world.folder);
  create.set_id("../x");
  CHECK(world.code_of(world.ask("Create", create)) == Code::invalid_argument);
  create.set_id("c");
  for (const std::string& absent : {std::string("/nonexistent/folder/file"), world.folder + "/no-fifo"}) {
    create.set_stdout(absent);
    CHECK(world.code_of(world.ask("Create", create)) == Code::unknown);
    CHECK_FALSE(std::filesystem::exists(absent));
  }
  create.clear_stdout();
  create.set_checkpoint("/somewhere");
  CHECK(world.code_of(world.ask("Create", create)) == Code::unimplemented);
  CHECK(world.events.topics.empty());

  world.create();
  create.clear_checkpoint();
  CHECK(world.code_of(world.ask("Create", create)) == Code::already_exists);
  CHECK(world.code_of(world.ask("Pause", world.about<task::PauseRequest>())) == Code::failed_precondition);
  CHECK(world.code_of(world.ask("Checkpoint", world.about<task::CheckpointTaskRequest>())) ==
        Code::unimplemented);
  CHECK(world.code_of(world.ask("Stats", world.about<task::StatsRequest>())) == Code::unimplemented);
  REQUIRE(world.ask("Shutdown", world.about<task::ShutdownRequest>()));
  CHECK_FALSE(world.service.shutdown_requested().is_set());
  REQUIRE(world.ask("Delete", world.about<task::DeleteRequest>()));
  REQUIRE(world.ask("Shutdown", world.about<task::ShutdownRequest>()));
  CHECK(world.service.shutdown_requested().is_set());
  // Too late: its socket goes.
  CHECK(world.code_of(world.ask("Create", create)) == Code::unavailable);
}

TEST_CASE("output is with its reader before the exit is told", "[shim]") {
  World world;
  world.write("program", "seq 1 20000; exit 0\n");
  auto create = world.about<task::CreateTaskRequest>();
  create.set_bundle(world.folder);
  create.set_stdout("file://" + world.folder + "/file");
  REQUIRE(world.ask("Create", create));
  REQUIRE(world.ask("Start", world.about<task::StartRequest>()));
  REQUIRE(world.ask("Wait", world.about<task::WaitRequest>()));
  const auto text = oci::read_file(world.folder + "/file", 1 << 20);
  REQUIRE(text);
  CHECK(text->ends_with("20000\n"));
  REQUIRE(world.ask("Delete", world.about<task::DeleteRequest>()));
}
