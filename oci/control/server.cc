#include "oci/control/server.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <nlohmann/json.hpp>

#include "kvm/hostcall/process_detail.h"
#include "kvm/monitor/services/path_ops.h"
#include "oci/control/protocol.h"
#include "oci/host/file_io.h"
#include "oci/sandbox/container_bytes.h"
#include "oci/sandbox/lifeline.h"
#include "oci/sandbox/report.h"
#include "oci/sandbox/terminal.h"
#include "oci/spec/parse.h"

namespace runsc::oci {
namespace {

using hostcall::CommandKind;
using nlohmann::json;

constexpr size_t kMaxConnections = 1024;
constexpr size_t kMaxGivenBytes = size_t{4} << 20;

std::string dump(const json& message) { return message.dump(-1, ' ', false, json::error_handler_t::replace); }

// A number of a request, or 0.
uint32_t number(const json& request, const char* name) {
  const auto it = request.find(name);
  return it != request.end() && it->is_number_unsigned() && it->get<uint64_t>() <= UINT32_MAX
             ? it->get<uint32_t>()
             : 0;
}

std::vector<UniqueFd> take_fds(msghdr& message) {
  std::vector<UniqueFd> fds;
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof fd);
      fds.emplace_back(fd);
    }
  }
  return fds;
}

monitor::Command command_of(CommandKind kind, hostcall::ContainerNumber container, uint32_t process = 0,
                            uint32_t value = 0, uint32_t flags = 0) {
  monitor::Command command;
  command.kind = kind;
  command.container = container;
  command.process = process;
  command.value = value;
  command.flags = flags;
  return command;
}

std::string text_of(const json& request, const char* name) {
  const auto it = request.find(name);
  return it != request.end() && it->is_string() ? it->get<std::string>() : std::string();
}

// A file of the command's, as text.
Expected<std::string> read_given(const UniqueFd& fd) {
  const auto st = monitor::stat_entry(fd.get(), "");
  if (!st || !S_ISREG(st->st_mode)) return fail("not a file");
  return read_all(fd.get(), kMaxGivenBytes, "description");
}

uint32_t packed(const WindowSize& size) { return uint32_t{size.rows} << 16 | size.columns; }

WindowSize size_of(const json& request) {
  return {static_cast<uint16_t>(number(request, "rows")), static_cast<uint16_t>(number(request, "columns"))};
}

}  // namespace

Expected<void> ControlServer::start() {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  constexpr size_t kStackSize = size_t{512} << 10;
  pthread_attr_setstacksize(&attributes, kStackSize);
  pthread_t thread;
  const int error = ::pthread_create(&thread, &attributes, thread_main, this);
  pthread_attr_destroy(&attributes);
  if (error != 0) return fail(with_errno("cannot start a thread", error), kExitSandbox);
  return {};
}

void* ControlServer::thread_main(void* self) {
  static_cast<ControlServer*>(self)->serve();
  return nullptr;
}

void ControlServer::serve() {
  std::vector<pollfd> polls;
  for (;;) {
    polls.assign({{fds_.signals.get(), POLLIN, 0},
                  {fds_.socket.get(), POLLIN, 0},
                  {sandbox_.commands().notices_fd(), POLLIN, 0},
                  {fds_.lifeline.get(), POLLIN, 0}});
    {
      std::scoped_lock lock(mutex_);
      for (const Connection& c : connections_) {
        const short events = c.output.empty() ? POLLIN : POLLIN | POLLOUT;
        polls.push_back({c.fd.get(), events, 0});
      }
    }
    if (::ppoll(polls.data(), polls.size(), nullptr, nullptr) < 0) {
      if (errno == EINTR) continue;
      return;
    }
    std::scoped_lock lock(mutex_);
    serve_once(polls);
  }
}

void ControlServer::serve_once(std::vector<pollfd>& polls) {
  // Connections first: they stand in the order in which they were polled, and new ones come behind.
  size_t at = 4;
  for (Connection& c : connections_) {
    if (at == polls.size()) break;
    const short events = polls[at++].revents;
    if (events & POLLOUT) flush(c);
    if (events & (POLLIN | POLLHUP | POLLERR)) take_request(c);
  }
  if (polls[3].revents != 0) take_lifeline();
  if (polls[0].revents != 0) take_signal();
  if (polls[2].revents != 0) take_notices();
  if (polls[1].revents != 0) take_datagram();
  drop_closed();
}

void ControlServer::take_signal() {
  signalfd_siginfo info;
  if (::read(fds_.signals.get(), &info, sizeof info) != sizeof info) return;
  if (info.ssi_signo != SIGWINCH) {
    sandbox_.signal(static_cast<int>(info.ssi_signo));
  } else if (fds_.terminal) {
    if (const auto size = window_size(fds_.terminal.get())) sandbox_.window_size(size->rows, size->columns);
  }
}

void ControlServer::take_lifeline() {
  // Nobody would know of this sandbox.
  if (read_lifeline(fds_.lifeline.get()) == LifelineNews::dead) ::_exit(128 + SIGKILL);
  fds_.lifeline.reset();
}

void ControlServer::take_datagram() {
  std::string text(kMaxControlMessage, '\0');
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxControlFds * sizeof(int))];
  iovec part{text.data(), text.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t got = ::recvmsg(fds_.socket.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got < 0) return;
  std::vector<UniqueFd> fds = take_fds(message);
  if (fds.empty() || connections_.size() >= kMaxConnections) return;
  // Nothing that comes from outside may make this thread wait.
  const int flags = ::fcntl(fds.front().get(), F_GETFL);
  if (flags < 0 || (flags & O_NONBLOCK) == 0) return;
  Connection& connection = connections_.emplace_back();
  connection.fd = std::move(fds.front());
  fds.erase(fds.begin());
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) return refuse(connection, "request too large");
  text.resize(static_cast<size_t>(got));
  obey(connection, text, std::move(fds));
}

void ControlServer::take_request(Connection& connection) {
  std::string text(kMaxControlMessage, '\0');
  const ssize_t got = ::read(connection.fd.get(), text.data(), text.size());
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    if (connection.process != 0)
      sandbox_.command(command_of(CommandKind::signal, connection.container, connection.process, SIGKILL));
    connection.closed = true;
    connection.output.clear();
    return;
  }
  text.resize(static_cast<size_t>(got));
  obey(connection, text, {});
}

void ControlServer::obey(Connection& connection, const std::string& text, std::vector<UniqueFd> fds) {
  const json request = json::parse(text, nullptr, false);
  if (!request.is_object() || !request.contains("op") || !request["op"].is_string())
    return refuse(connection, "bad request");
  const std::string name = text_of(request, "op"), id = text_of(request, "container");
  if (name == "create") return create(connection, request, std::move(fds));
  // What comes on a connection that stands for a process is about that.
  if (connection.process != 0)
    return obey_for(connection, connection.container, name, request, std::move(fds));
  if (connection.stood) return;  // too late
  if (id.empty()) return obey_for(connection, hostcall::kFirstContainer, name, request, std::move(fds));
  const auto it = containers_.find(id);
  if (it == containers_.end()) return refuse(connection, "container not running");
  if (name == "status") {
    const bool waits = it->second.number == hostcall::kFirstContainer && awaits_network_;
    return send(connection, dump({{"ok", true}, {"text", it->second.status()}, {"value", waits ? 1 : 0}}));
  }
  obey_for(connection, it->second.number, name, request, std::move(fds));
}

void ControlServer::obey_for(Connection& connection, hostcall::ContainerNumber container,
                             const std::string& name, const json& request, std::vector<UniqueFd> fds) {
  if (name == "start") return change(connection, container, CommandKind::start);
  if (name == "network") return take_network(connection, std::move(fds));
  if (name == "exec") return execute(connection, container, request, std::move(fds));
  if (name == "pause") return change(connection, container, CommandKind::pause);
  if (name == "resume") return change(connection, container, CommandKind::resume);
  if (name == "signal") return signal(connection, container, request);
  if (name == "processes") {
    connection.lists = true;
    return submit(connection, command_of(CommandKind::processes, container));
  }
  if (name == "resize") {
    const uint32_t process = connection.process != 0 ? connection.process : container;
    sandbox_.command(command_of(CommandKind::resize, container, process, packed(size_of(request))));
    if (connection.process == 0) connection.closed = true;
    return;
  }
  if (name == "stacks")
    return submit(connection, command_of(CommandKind::processes, container, 0, hostcall::kEachThread));
  if (name == "statistics") return submit(connection, command_of(CommandKind::statistics, container));
  if (name == "update") return update(connection, container, request);
  if (name == "wait" || name == "events") {
    connection.waits = container;
    connection.listens = name == "events";
    connection.stays = true;
    return send(connection, dump({{"ok", true}}));
  }
  refuse(connection, "unknown operation " + name);
}

void ControlServer::signal(Connection& connection, hostcall::ContainerNumber container, const json& request) {
  const auto all = request.find("all");
  const bool everyone = all != request.end() && all->is_boolean() && all->get<bool>();
  connection.signals = connection.process == 0;
  monitor::Command command =
      command_of(CommandKind::signal, container, connection.signals ? container : connection.process,
                 number(request, "signal"), everyone ? hostcall::kSignalAll : 0);
  if (connection.signals) return submit(connection, std::move(command));
  sandbox_.command(std::move(command));
}

void ControlServer::update(Connection& connection, hostcall::ContainerNumber container, const json& request) {
  const Expected<Resources> resources = parse_resources_text(text_of(request, "resources"), "update");
  if (!resources) return refuse(connection, resources.error().text);
  const auto sandbox = request.find("sandbox");
  std::optional<uint64_t> most;
  if (sandbox != request.end() && sandbox->is_number_unsigned()) most = sandbox->get<uint64_t>();
  monitor::Command command = command_of(CommandKind::update, container);
  command.body = limits_bytes(*resources, most);
  submit(connection, std::move(command));
}

void ControlServer::stand_for(Connection& connection, const json& request) {
  const auto used = [this](uint32_t n) {
    return std::any_of(connections_.begin(), connections_.end(),
                       [n](const Connection& c) { return c.process == n; });
  };
  do {
    if (++last_process_ == UINT32_MAX) last_process_ = 1;
  } while (used(last_process_));
  connection.process = last_process_;
  connection.pid = static_cast<pid_t>(number(request, "pid"));
  connection.stays = connection.stood = true;
}

void ControlServer::create(Connection& connection, const json& request, std::vector<UniqueFd> fds) {
  const std::string id = text_of(request, "container");
  if (connection.process != 0 || connection.command != 0 || id.empty())
    return refuse(connection, "bad request");
  if (containers_.contains(id)) return refuse(connection, "container with id " + id + " already exists");
  if (fds.size() < 2) return refuse(connection, "create: descriptors are missing");
  const Expected<std::string> description = read_given(fds[0]);
  if (!description) return refuse(connection, "create: " + description.error().text);
  std::vector<monitor::UniqueFd> donated;
  for (size_t i = 1; i < fds.size(); ++i) donated.emplace_back(fds[i].release());
  auto donation = sandbox_.donate(std::move(donated));
  if (!donation) return refuse(connection, donation.error().message);
  stand_for(connection, request);
  connection.container = connection.process;
  containers_.emplace(id, KnownContainer{connection.container});
  monitor::Command command = command_of(CommandKind::create, hostcall::kFirstContainer, connection.process, 0,
                                        number(request, "flags"));
  command.body = with_handles(donation->handles, *description);
  submit(connection, std::move(command));
  donations_.emplace(connection.command, *std::move(donation));
}

void ControlServer::execute(Connection& connection, hostcall::ContainerNumber container, const json& request,
                            std::vector<UniqueFd> fds) {
  if (connection.process != 0 || connection.command != 0) return refuse(connection, "bad request");
  if (fds.size() < 2) return refuse(connection, "exec: descriptors are missing");
  const Expected<std::string> text = read_given(fds[0]);
  if (!text) return refuse(connection, "exec: " + text.error().text);
  const Expected<Process> process = parse_process_text(*text);
  if (!process) return refuse(connection, process.error().text);
  if (fds.size() != (process->terminal ? 2 : 4) + size_t{number(request, "preserved")})
    return refuse(connection, "exec: wrong number of descriptors");
  std::vector<monitor::UniqueFd> streams;
  for (size_t i = 1; i < fds.size(); ++i) streams.emplace_back(fds[i].release());
  auto donation = sandbox_.donate(std::move(streams));
  if (!donation) return refuse(connection, donation.error().message);
  stand_for(connection, request);
  connection.container = container;
  monitor::Command command = command_of(CommandKind::execute, container, connection.process);
  command.body = joining_process_bytes(*process, size_of(request), donation->handles);
  submit(connection, std::move(command));
  donations_.emplace(connection.command, *std::move(donation));
}

void ControlServer::take_network(Connection& connection, std::vector<UniqueFd> fds) {
  if (!awaits_network_ || connection.command != 0) return refuse(connection, "the sandbox has its network");
  if (fds.size() < 2 || fds.size() % 2 != 0) return refuse(connection, "network: descriptors are missing");
  Expected<std::string> description = read_given(fds[0]);
  if (!description) return refuse(connection, "network: " + description.error().text);
  std::vector<monitor::WireFds> wires;
  for (size_t i = 2; i < fds.size(); i += 2)
    wires.push_back({monitor::UniqueFd(fds[i].release()), monitor::UniqueFd(fds[i + 1].release())});
  awaits_network_ = false;
  fds_.claim = std::move(fds[1]);
  if (const auto added = sandbox_.add_wires(std::move(wires)); !added)
    return refuse(connection, added.error().message);
  monitor::Command command = command_of(CommandKind::network, hostcall::kFirstContainer);
  command.body = *std::move(description);
  submit(connection, std::move(command));
}

void ControlServer::submit(Connection& connection, monitor::Command command) {
  if (connection.command != 0) return refuse(connection, "a request is under way");
  connection.command = sandbox_.command(std::move(command));
}

void ControlServer::change(Connection& connection, hostcall::ContainerNumber container, CommandKind kind) {
  if (connection.command != 0) return refuse(connection, "a request is under way");
  submit(connection, command_of(kind, container));
  changes_[connection.command] = {container, kind};
}

void ControlServer::changed(const Change& change) {
  for (auto& [id, known] : containers_) {
    if (known.number != change.container) continue;
    if (change.kind == CommandKind::start)
      known.started = true;
    else
      known.paused = change.kind == CommandKind::pause;
  }
}

void ControlServer::take_notices() {
  for (const monitor::Notice& notice : sandbox_.commands().take_notices()) {
    switch (notice.kind) {
      case monitor::Notice::Kind::ready:
        report_ready(fds_.report);
        break;
      case monitor::Notice::Kind::answer:
        take_answer(notice);
        break;
      case monitor::Notice::Kind::ended:
        take_end(notice);
        break;
      case monitor::Notice::Kind::oom:
        take_shortage(notice);
        break;
    }
  }
}

void ControlServer::take_answer(const monitor::Notice& notice) {
  if (const auto change = changes_.extract(notice.id); change && notice.status == 0) changed(change.mapped());
  // Whether or not somebody still waits for the answer.
  if (const auto given = donations_.extract(notice.id); given && notice.status != 0)
    sandbox_.withdraw(given.mapped());
  const auto it = std::find_if(connections_.begin(), connections_.end(),
                               [&](const Connection& c) { return c.command == notice.id; });
  if (it == connections_.end()) return;
  it->command = 0;
  if (notice.status != 0) {
    forget(it->process);
    it->process = 0;
    return refuse(*it, notice.text, notice.status);
  }
  // In parts that fit into a message.
  constexpr size_t kPart = kMaxControlMessage / 8;
  for (size_t at = 0; at + kPart < notice.text.size(); at += kPart)
    send(*it, dump({{"more", notice.text.substr(at, kPart)}}));
  const size_t rest = notice.text.empty() ? 0 : (notice.text.size() - 1) / kPart * kPart;
  json answer = {{"ok", true}, {"value", notice.value}, {"text", notice.text.substr(rest)}};
  if (it->lists) {
    json& pids = answer["pids"] = json::array({json::array({hostcall::kInitProcess, pid_})});
    for (const Connection& c : connections_)
      if (c.process != 0 && c.pid > 0) pids.push_back({c.process, c.pid});
  }
  send(*it, dump(answer));
  if (!it->stays && it->output.empty()) it->closed = true;
}

void ControlServer::take_end(const monitor::Notice& notice) {
  if (notice.process == hostcall::kInitProcess) return;
  forget(notice.process);
  for (Connection& c : connections_) {
    if (c.process != notice.process && c.waits != notice.process) continue;
    c.process = 0;
    c.stays = false;
    send(c, dump({{"ended", notice.status}}));
    if (c.output.empty()) c.closed = true;
  }
}

void ControlServer::take_shortage(const monitor::Notice& notice) {
  // Who does not read is not told for ever.
  constexpr size_t kMostUnread = 64;
  for (Connection& c : connections_)
    if (c.listens && c.waits == notice.process && c.output.size() < kMostUnread)
      send(c, dump({{"oom", true}}));
}

void ControlServer::forget(hostcall::ContainerNumber container) {
  if (container != hostcall::kFirstContainer)
    std::erase_if(containers_, [container](const auto& entry) { return entry.second.number == container; });
}

void ControlServer::finish(int wait_status) {
  std::scoped_lock lock(mutex_);
  take_notices();
  const auto failure = sandbox_.commands().start_failure();
  for (Connection& c : connections_) {
    if (c.closed) continue;
    if (c.waits) send(c, dump({{"ended", *c.waits == hostcall::kFirstContainer ? wait_status : SIGKILL}}));
    // What joined went down with the init.
    if (c.process != 0 && c.command == 0) send(c, dump({{"ended", SIGKILL}}));
    if (c.command != 0 && c.signals)
      send(c, dump({{"ok", true}}));
    else if (c.command != 0)
      refuse(c, failure ? failure->text : "process already finished", failure ? failure->status : kExitError);
  }
}

void ControlServer::finish(const std::string& error) {
  std::scoped_lock lock(mutex_);
  for (Connection& c : connections_)
    if (!c.closed) refuse(c, error, kExitSandbox);
}

void ControlServer::send(Connection& connection, std::string message) {
  connection.output.push_back(std::move(message));
  flush(connection);
}

void ControlServer::refuse(Connection& connection, const std::string& error, uint32_t status) {
  send(connection, dump({{"error", error}, {"status", status}}));
  connection.stays = false;
  if (connection.output.empty()) connection.closed = true;
}

void ControlServer::flush(Connection& connection) {
  while (!connection.output.empty()) {
    const std::string& message = connection.output.front();
    const ssize_t put = ::write(connection.fd.get(), message.data(), message.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && errno == EAGAIN) return;
    if (put < 0) {
      connection.output.clear();  // the reader is gone: take_request() sees it
      return;
    }
    connection.output.pop_front();
  }
  if (!connection.stays && connection.command == 0 && connection.process == 0) connection.closed = true;
}

void ControlServer::drop_closed() {
  connections_.remove_if([](const Connection& c) { return c.closed && c.output.empty(); });
}

}  // namespace runsc::oci
