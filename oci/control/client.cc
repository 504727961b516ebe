#include "oci/control/client.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "oci/control/protocol.h"

namespace runsc::oci {
namespace {

using nlohmann::json;

std::string dump(const json& message) { return message.dump(-1, ' ', false, json::error_handler_t::replace); }

// Socket addresses are short, paths of state directories need not be.
sockaddr_un address_in(int directory) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = "/proc/self/fd/" + std::to_string(directory) + "/" + kControlSocket;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

Expected<UniqueFd> open_directory(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return fail_errno(path);
  return fd;
}

Expected<UniqueFd> datagram_socket() {
  UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno("socket");
  return fd;
}

// False: it would have to wait, which `flags` forbid.
Expected<bool> send_datagram(int socket, const sockaddr_un& address, const std::string& text,
                             const std::vector<int>& fds, int flags) {
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxControlFds * sizeof(int))] = {};
  iovec part{const_cast<char*>(text.data()), text.size()};
  msghdr message{};
  message.msg_name = const_cast<sockaddr_un*>(&address);
  message.msg_namelen = sizeof address;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
  std::memcpy(CMSG_DATA(header), fds.data(), fds.size() * sizeof(int));
  while (::sendmsg(socket, &message, MSG_NOSIGNAL | flags) < 0) {
    if (errno == EINTR) continue;
    if (errno == EAGAIN && (flags & MSG_DONTWAIT)) return false;
    if (errno == ECONNREFUSED || errno == ENOENT) return fail(kNotRunning);
    return fail_errno("the sandbox does not answer");
  }
  return true;
}

// What the sandbox says may end on a person's terminal, which its control sequences must not reach.
std::string printable(std::string text) {
  for (char& c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\n') || byte == 0x7f) c = '?';
  }
  return text;
}

// A sandbox is jailed and not trusted to answer sense.
Expected<Answer> parse_answer(const json& message) {
  if (!message.is_object()) return fail("the sandbox answered nonsense", kExitSandbox);
  const auto integer = [&](const char* name) -> std::optional<int> {
    const auto it = message.find(name);
    if (it == message.end() || !it->is_number_integer()) return std::nullopt;
    return static_cast<int>(it->get<int64_t>());
  };
  const auto text = [&](const char* name) {
    const auto it = message.find(name);
    return it != message.end() && it->is_string() ? printable(it->get<std::string>()) : std::string();
  };
  if (message.contains("error")) {
    const int status = integer("status").value_or(kExitError);
    return fail(text("error"), status > 0 && status < 256 ? status : kExitError);
  }
  Answer answer;
  answer.value = integer("value");
  answer.ended = integer("ended");
  answer.oom = message.contains("oom");
  answer.text = text("text");
  if (const auto it = message.find("pids"); it != message.end() && it->is_array())
    for (const json& pair : *it)
      if (pair.is_array() && pair.size() == 2 && pair[0].is_number_integer() && pair[1].is_number_integer())
        answer.pids.emplace(pair[0].get<int64_t>(), pair[1].get<pid_t>());
  return answer;
}

}  // namespace

Expected<UniqueFd> make_control_socket(const std::string& directory) {
  const UniqueFd home = OCI_TRY(open_directory(directory));
  UniqueFd socket = OCI_TRY(datagram_socket());
  ::unlinkat(home.get(), kControlSocket, 0);
  const sockaddr_un address = address_in(home.get());
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return fail_errno(directory + "/" + kControlSocket);
  return socket;
}

Expected<ControlClient> ControlClient::send(const std::string& directory, const json& request,
                                            const std::vector<int>& fds) {
  return std::move(*OCI_TRY(send_with(directory, request, fds, 0)));
}

Expected<std::optional<ControlClient>> ControlClient::try_send(const std::string& directory,
                                                               const json& request) {
  return send_with(directory, request, {}, MSG_DONTWAIT);
}

Expected<std::optional<ControlClient>> ControlClient::send_with(const std::string& directory,
                                                                const json& request,
                                                                const std::vector<int>& fds, int flags) {
  const UniqueFd home = OCI_TRY(open_directory(directory));
  const UniqueFd socket = OCI_TRY(datagram_socket());
  // A sandbox that is stuck must not hang the command as well.
  constexpr timeval kPatience{30, 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return fail_errno("socketpair");
  UniqueFd ours(ends[0]), theirs(ends[1]);
  // The sandbox's end never blocks.
  ::fcntl(theirs.get(), F_SETFL, O_NONBLOCK);
  std::vector<int> all = {theirs.get()};
  all.insert(all.end(), fds.begin(), fds.end());
  if (!OCI_TRY(send_datagram(socket.get(), address_in(home.get()), dump(request), all, flags)))
    return std::nullopt;
  return ControlClient(std::move(ours));
}

Expected<void> ControlClient::send_more(const json& request) {
  const std::string text = dump(request);
  if (::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL) < 0) return fail(kNotRunning);
  return {};
}

Expected<Answer> ControlClient::receive() {
  std::string whole;
  for (;;) {
    std::string text(kMaxControlMessage, '\0');
    const ssize_t got = ::recv(fd_.get(), text.data(), text.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return fail(kNotRunning, kExitSandbox);
    const json message = json::parse(text.begin(), text.begin() + got, nullptr, false);
    const auto more = message.is_object() ? message.find("more") : message.end();
    if (message.is_object() && more != message.end() && more->is_string()) {
      constexpr size_t kMostText = size_t{4} << 20;
      whole += printable(more->get<std::string>());
      if (whole.size() > kMostText) return fail("the sandbox answers without end", kExitSandbox);
      continue;
    }
    Answer answer = OCI_TRY(parse_answer(message));
    answer.text = whole + answer.text;
    return answer;
  }
}

Expected<Answer> control(const std::string& directory, const json& request, int patience_ms) {
  ControlClient client = OCI_TRY(ControlClient::send(directory, request));
  pollfd waiting{client.fd(), POLLIN, 0};
  int n;
  while ((n = ::poll(&waiting, 1, patience_ms)) < 0 && errno == EINTR) continue;
  if (n == 0) return fail("the sandbox does not answer", kExitSandbox);
  return client.receive();
}

}  // namespace runsc::oci
