// Numbers of the socket interface (socket(2), recv(2)), x86-64 values, and small types that all families
// share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "fs/credentials.h"
#include "fs/fd_table.h"
#include "fs/namespace.h"
#include "kernel/base/wait_queue.h"
#include "mm/user_copy.h"

namespace runsc::net {

namespace family_number {
inline constexpr int unspec = 0, local = 1, inet = 2, inet6 = 10, netlink = 16, packet = 17, limit = 46;
}

namespace socket_type {
inline constexpr int stream = 1, dgram = 2, raw = 3, rdm = 4, seqpacket = 5, packet = 10, limit = 11;
}

namespace msg_flag {
inline constexpr uint32_t oob = 1, peek = 2, dontroute = 4, ctrunc = 8, trunc = 0x20, dontwait = 0x40,
                          eor = 0x80, waitall = 0x100, errqueue = 0x2000, nosignal = 0x4000, more = 0x8000,
                          confirm = 0x800, waitforone = 0x10000, cmsg_cloexec = 0x40000000,
                          cmsg_compat = 0x80000000;
}

// What has been shut down (shutdown(2)).
inline constexpr uint32_t kReceiveShut = 1, kSendShut = 2, kBothShut = 3;

inline constexpr int kSolSocket = 1;

// Told on a socket's queue beside the bits of poll(2): urgent data are on their way (SIGURG, tcp(7)).
inline constexpr uint32_t kUrgentEvent = 1u << 26;

// A socket address, copied from the application or to be given to it.
struct Address {
  static constexpr size_t kMax = 128;  // struct sockaddr_storage
  alignas(8) std::byte bytes[kMax];
  uint32_t size = 0;
  std::span<const std::byte> span() const { return {bytes, size}; }
};

// Who makes a system call on a socket.
struct Caller {
  mm::AddressSpace& space;
  fs::FdTable& files;
  fs::FsContext& fs;
  const fs::Credentials& creds;
  int32_t pid;          // the process, by its number in the first namespace
  uint64_t file_limit;  // RLIMIT_NOFILE
  // Numbers as the caller means and sees them. What has no number: 0.
  int32_t (*process_of)(int32_t number);
  int32_t (*number_of)(int32_t pid);
  fs::WalkContext walk() const { return {fs, creds}; }
};

class Endpoint;

// Who sent, as SCM_CREDENTIALS and SO_PEERCRED show it (struct ucred).
struct PeerCredentials {
  int32_t pid = 0;
  uint32_t uid = ~0u, gid = ~0u;
  friend bool operator==(const PeerCredentials&, const PeerCredentials&) = default;
};

}  // namespace runsc::net
