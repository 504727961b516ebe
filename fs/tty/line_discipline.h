// The line discipline N_TTY: editing, echo, special characters and output processing (termios(3)). A state
// machine without locks or waiting; Tty owns one and guards it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "fs/tty/termios.h"
#include "kernel/base/vec.h"

namespace runsc::fs {

// A bounded byte queue.
class ByteRing {
 public:
  Result<void> init(size_t capacity) { return bytes_.resize(capacity); }
  size_t size() const { return size_; }
  size_t room() const { return bytes_.size() - size_; }
  bool push(uint8_t c) {
    if (room() == 0) return false;
    bytes_[(head_ + size_++) % bytes_.size()] = c;
    return true;
  }
  size_t peek(std::span<uint8_t> out) const {
    size_t n = out.size() < size_ ? out.size() : size_;
    for (size_t i = 0; i < n; ++i) out[i] = bytes_[(head_ + i) % bytes_.size()];
    return n;
  }
  void drop(size_t n) {
    head_ = (head_ + n) % bytes_.size();
    size_ -= n;
  }
  void clear() { head_ = size_ = 0; }

 private:
  Vec<uint8_t> bytes_;
  size_t head_ = 0, size_ = 0;
};

class LineDiscipline {
 public:
  static constexpr size_t kInput = 4096, kOutput = 16384;

  Result<void> init();
  const Termios& termios() const { return termios_; }
  void set_termios(const Termios& t);

  // Input from the device: as many bytes of `in` as there is room for. Returns how many were taken; `signals`
  // gets one bit (1 << signo) for each of SIGINT, SIGQUIT, SIGTSTP that a character asked for.
  size_t receive(std::span<const uint8_t> in, uint64_t& signals);
  // For the reader. readable(): a read would not wait.
  bool readable() const;
  size_t available() const;  // FIONREAD
  // Up to one line in canonical mode. false in `eof`... a lone EOF character gives 0 bytes with eof set.
  size_t read(std::span<uint8_t> out, bool& eof);
  // Output of the application, processed into the output queue; how many bytes of `in` were taken.
  size_t write(std::span<const uint8_t> in);
  bool stopped() const { return stopped_; }
  void set_stopped(bool s) { stopped_ = s; }
  ByteRing& output() { return output_; }
  void flush_input();
  void flush_output() { output_.clear(); }

 private:
  struct Cell {
    uint8_t c;
    bool line_end;  // this character completes a line
    bool eof;       // VEOF: completes it and is not read
  };
  bool has(uint32_t lflag) const { return termios_.lflag & lflag; }
  bool is(uint8_t c, unsigned which) const { return c == termios_.cc[which] && c != tio::disabled; }
  void receive_byte(uint8_t c, uint64_t& signals);
  bool special_canonical(uint8_t c);
  void push_input(uint8_t c, bool line_end, bool eof);
  bool put_output(uint8_t c);  // with OPOST
  void echo(uint8_t c);        // with ECHOCTL
  void erase_one();
  void erase_word();
  void erase_line();
  void rub_out(uint8_t c);
  bool editing() const { return size_ > canonical_; }
  uint8_t last() const { return cells_[(tail_ + size_ - 1) % kInput].c; }
  void pop_last() { --size_; }

  Termios termios_;
  Vec<Cell> cells_;
  size_t tail_ = 0, size_ = 0;
  size_t canonical_ = 0;  // cells from tail_ on that belong to complete lines
  size_t lines_ = 0;
  bool literal_next_ = false;
  bool stopped_ = false;
  unsigned column_ = 0;
  ByteRing output_;
};

}  // namespace runsc::fs
