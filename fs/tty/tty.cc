#include "fs/tty/tty.h"

#include <algorithm>

#include "fs/tty/devpts.h"
#include "fs/tty/job_control.h"

namespace runsc::fs {

namespace {
constexpr uint32_t kIn = poll_bit::in | poll_bit::rdnorm, kOut = poll_bit::out | poll_bit::wrnorm;
constexpr int kSigHup = 1, kSigCont = 18, kSigTtin = 21, kSigTtou = 22, kSigWinch = 28;
constexpr size_t kChunk = 512;
}  // namespace

Result<Ref<Tty>> Tty::create(uint32_t index) {
  Ref<Tty> tty = make_ref<Tty>(index);
  if (!tty) return Errno::nomem;
  LockGuard guard(tty->lock_);
  TRY(tty->discipline_.init());
  return tty;
}

Tty::~Tty() = default;

void Tty::wake_both() {
  slave_queue_.wake_all(kIn | kOut);
  master_queue_.wake_all(kIn | kOut);
}

void Tty::deliver(uint64_t signals) {
  int32_t group = foreground_group();
  if (!signals || group <= 0) return;
  for (int s = 1; s < 32; ++s)
    if (signals >> s & 1) job_control::signal_group(group, s);
}

Result<void> Tty::check_background(int signo) {
  int32_t session = this->session();
  if (session == 0 || session != job_control::session_of_current()) return {};
  int32_t group = job_control::group_of_current();
  if (foreground_group() == 0 || group == foreground_group()) return {};
  if (job_control::current_disregards(signo)) {
    if (signo == kSigTtin) return Errno::io;
    return {};
  }
  if (job_control::group_of_current_is_orphaned()) return Errno::io;
  job_control::signal_group(group, signo);
  return Errno::restartsys;
}

// ---- slave
// -----------------------------------------------------------------------------------------------------

Result<size_t> Tty::slave_read(mm::IoBuf& buf) {
  TRY(check_background(kSigTtin));
  size_t total = 0;
  uint8_t chunk[kChunk];
  for (;;) {
    size_t want = std::min<uint64_t>(buf.remaining(), kChunk), got;
    bool eof = false, line_mode, more;
    {
      LockGuard guard(lock_);
      if (hung_up_) return total;
      if (want == 0) return total;
      if (total == 0 && !discipline_.readable()) {
        const Termios& t = discipline_.termios();
        if (!(t.lflag & tio::icanon) && t.cc[tio::vmin] == 0 && t.cc[tio::vtime] == 0) return size_t{0};
        return Errno::again;
      }
      got = discipline_.read({chunk, want}, eof);
      line_mode = discipline_.termios().lflag & tio::icanon;
      more = !line_mode && discipline_.available() > 0;
      if (got < want || (line_mode && got > 0 && (chunk[got - 1] == '\n' || !discipline_.readable())))
        more = false;
      if (line_mode && got == want && got > 0 && chunk[got - 1] != '\n' && discipline_.readable())
        more = true;
    }
    if (got > 0) {
      auto put = buf.put(chunk, got);
      if (!put) return total ? Result<size_t>(total) : Result<size_t>(put.error());
      total += *put;
    }
    if (eof || !more || got == 0) break;
  }
  master_queue_.wake(kOut);  // the master may have room to write again
  return total;
}

Result<size_t> Tty::slave_write(mm::IoBuf& buf) {
  bool tostop;
  {
    LockGuard guard(lock_);
    if (hung_up_) return Errno::io;
    tostop = discipline_.termios().lflag & tio::tostop;
  }
  if (tostop) TRY(check_background(kSigTtou));
  size_t total = 0;
  uint8_t chunk[kChunk];
  while (buf.remaining() > 0) {
    auto got = buf.get(chunk, std::min<uint64_t>(buf.remaining(), kChunk));
    if (!got) return total ? Result<size_t>(total) : Result<size_t>(got.error());
    size_t took;
    {
      LockGuard guard(lock_);
      took = hung_up_ ? 0 : discipline_.write({chunk, *got});
    }
    buf.rewind(*got - took);
    total += took;
    if (took < *got) break;
  }
  if (total) master_queue_.wake(kIn);
  if (total == 0 && buf.remaining() > 0) {
    LockGuard guard(lock_);
    return hung_up_ ? Errno::io : Errno::again;
  }
  return total;
}

uint32_t Tty::slave_poll() {
  LockGuard guard(lock_);
  if (hung_up_) return kIn | kOut | poll_bit::hup | poll_bit::err;
  uint32_t bits = discipline_.readable() ? kIn : 0;
  if (!discipline_.stopped() && discipline_.output().room() > 256) bits |= kOut;
  return bits;
}

void Tty::slave_opened() {
  LockGuard guard(lock_);
  ++slaves_;
  slave_seen_ = true;
}

void Tty::slave_closed() {
  {
    LockGuard guard(lock_);
    if (--slaves_ > 0) return;
    exclusive_ = false;
  }
  master_queue_.wake_all(kIn | poll_bit::hup);
}

uint64_t Tty::read_timeout_ns() {
  LockGuard guard(lock_);
  const Termios& t = discipline_.termios();
  if ((t.lflag & tio::icanon) || t.cc[tio::vmin] != 0) return 0;
  return uint64_t{t.cc[tio::vtime]} * 100'000'000;
}

// ---- master
// ----------------------------------------------------------------------------------------------------

Result<size_t> Tty::master_read(mm::IoBuf& buf) {
  size_t total = 0;
  uint8_t chunk[kChunk];
  bool packet;
  uint8_t status = 0;
  {
    LockGuard guard(lock_);
    packet = packet_mode_;
    if (packet) status = std::exchange(packet_status_, 0);
    if (discipline_.output().size() == 0 && !status) {
      if (slave_seen_ && slaves_ == 0) return Errno::io;
      return Errno::again;
    }
  }
  if (packet && buf.remaining() > 0) {
    total += TRY(buf.put(&status, 1));
    if (status) return total;
  }
  while (buf.remaining() > 0) {
    size_t n;
    {
      LockGuard guard(lock_);
      n = discipline_.output().peek({chunk, std::min<uint64_t>(buf.remaining(), kChunk)});
      discipline_.output().drop(n);
    }
    if (n == 0) break;
    auto put = buf.put(chunk, n);
    if (!put) return total ? Result<size_t>(total) : Result<size_t>(put.error());
    total += *put;
    if (*put < n) break;
  }
  slave_queue_.wake(kOut);
  return total;
}

size_t Tty::take_output(std::span<uint8_t> out) {
  size_t n;
  {
    LockGuard guard(lock_);
    n = discipline_.output().peek(out);
    discipline_.output().drop(n);
  }
  if (n) slave_queue_.wake(kOut);
  return n;
}

size_t Tty::input(std::span<const uint8_t> bytes) {
  uint64_t signals = 0;
  size_t took;
  bool echoed;
  {
    LockGuard guard(lock_);
    took = discipline_.receive(bytes, signals);
    echoed = discipline_.output().size() > 0;
  }
  deliver(signals);
  if (took) slave_queue_.wake(kIn | kOut);
  if (echoed) master_queue_.wake(kIn);
  return took;
}

Result<size_t> Tty::master_write(mm::IoBuf& buf) {
  size_t total = 0;
  uint8_t chunk[kChunk];
  while (buf.remaining() > 0) {
    auto got = buf.get(chunk, std::min<uint64_t>(buf.remaining(), kChunk));
    if (!got) return total ? Result<size_t>(total) : Result<size_t>(got.error());
    size_t took = input({chunk, *got});
    buf.rewind(*got - took);
    total += took;
    if (took < *got) break;
  }
  if (total == 0 && buf.remaining() > 0) return Errno::again;
  return total;
}

uint32_t Tty::master_poll() {
  LockGuard guard(lock_);
  uint32_t bits = kOut;
  if (discipline_.output().size() > 0 || packet_status_) bits |= kIn;
  if (packet_status_) bits |= poll_bit::pri;
  if (slave_seen_ && slaves_ == 0) bits |= poll_bit::hup;
  return bits;
}

void Tty::master_closed() {
  {
    LockGuard guard(lock_);
    hung_up_ = true;
  }
  int32_t session = this->session(), group = foreground_group();
  if (session > 0) {
    job_control::signal_session_leader(session, kSigHup);
    job_control::signal_session_leader(session, kSigCont);
    if (group > 0) {
      job_control::signal_group(group, kSigHup);
      job_control::signal_group(group, kSigCont);
    }
    job_control::set_controlling_tty(session, nullptr);
    session_.store(0, std::memory_order_relaxed);
  }
  slave_queue_.wake_all(kIn | kOut | poll_bit::hup | poll_bit::err);
}

void Tty::set_window_size(WindowSize size) {
  {
    LockGuard guard(lock_);
    if (__builtin_memcmp(&size, &size_, sizeof size) == 0) return;
    size_ = size;
  }
  deliver(uint64_t{1} << kSigWinch);
}

// ---- sessions
// --------------------------------------------------------------------------------------------------

Result<void> Tty::become_controlling(bool steal) {
  if (!job_control::current_is_session_leader()) return Errno::perm;
  int32_t session = job_control::session_of_current();
  if (this->session() == session) return {};
  if (job_control::controlling_tty_of_current()) return Errno::perm;
  if (int32_t owner = this->session(); owner != 0) {
    if (!steal || !job_control::current_has_sys_admin()) return Errno::perm;
    job_control::set_controlling_tty(owner, nullptr);
  }
  session_.store(session, std::memory_order_relaxed);
  foreground_.store(job_control::group_of_current(), std::memory_order_relaxed);
  job_control::set_controlling_tty(session, this);
  return {};
}

void Tty::disassociate() {
  int32_t session = this->session(), group = foreground_group();
  if (session == 0) return;
  session_.store(0, std::memory_order_relaxed);
  foreground_.store(0, std::memory_order_relaxed);
  job_control::set_controlling_tty(session, nullptr);
  if (group > 0) {
    job_control::signal_group(group, kSigHup);
    job_control::signal_group(group, kSigCont);
  }
}

Result<Ref<File>> TtySlave::reopen(uint32_t flags) {
  Ref<File> file = make_ref<TtySlave>(tty_, flags, Ref<Inode>(*inode()));
  if (!file) return Errno::nomem;
  return file;
}

Tty* tty_of(File& file) {
  if (file.kind() != FileKind::tty || static_cast<TtyFile&>(file).is_master()) return nullptr;
  return &static_cast<TtySlave&>(file).tty();
}

}  // namespace runsc::fs
