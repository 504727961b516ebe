#include "fs/tty/line_discipline.h"

namespace runsc::fs {

namespace {
constexpr int kSigInt = 2, kSigQuit = 3, kSigTstp = 20;
bool continuation(uint8_t c) { return (c & 0xc0) == 0x80; }
bool control(uint8_t c) { return c < 32 || c == 127; }
}  // namespace

Result<void> LineDiscipline::init() {
  TRY(cells_.resize(kInput));
  return output_.init(kOutput);
}

void LineDiscipline::set_termios(const Termios& t) {
  bool was = has(tio::icanon);
  termios_ = t;
  if (was != has(tio::icanon)) {
    // What was typed before the switch is readable at once, as one line where lines count.
    canonical_ = size_;
    lines_ = 0;
    for (size_t i = 0; i < size_; ++i) lines_ += cells_[(tail_ + i) % kInput].line_end;
    if (has(tio::icanon) && size_ > 0) {
      Cell& end = cells_[(tail_ + size_ - 1) % kInput];
      if (!end.line_end) end.line_end = true, ++lines_;
    }
  }
  if (!(t.iflag & tio::ixon)) stopped_ = false;
}

void LineDiscipline::flush_input() { tail_ = size_ = canonical_ = lines_ = 0; }

// ---- output
// ----------------------------------------------------------------------------------------------------

bool LineDiscipline::put_output(uint8_t c) {
  if (!(termios_.oflag & tio::opost)) return output_.push(c);
  switch (c) {
    case '\n':
      if (termios_.oflag & tio::onlcr) {
        if (output_.room() < 2) return false;
        output_.push('\r');
        column_ = 0;
        return output_.push('\n');
      }
      if (termios_.oflag & tio::onlret) column_ = 0;
      return output_.push('\n');
    case '\r':
      if ((termios_.oflag & tio::onocr) && column_ == 0) return true;
      if (termios_.oflag & tio::ocrnl) return output_.push('\n');
      column_ = 0;
      return output_.push('\r');
    case '\t': {
      unsigned spaces = 8 - (column_ & 7);
      if ((termios_.oflag & tio::tabdly) == tio::xtabs) {
        if (output_.room() < spaces) return false;
        column_ += spaces;
        while (spaces-- > 0) output_.push(' ');
        return true;
      }
      column_ += spaces;
      return output_.push('\t');
    }
    case '\b':
      if (column_ > 0) --column_;
      return output_.push(c);
    default:
      if (termios_.oflag & tio::olcuc && c >= 'a' && c <= 'z') c -= 32;
      if (!control(c) && !((termios_.iflag & tio::iutf8) && continuation(c))) ++column_;
      return output_.push(c);
  }
}

size_t LineDiscipline::write(std::span<const uint8_t> in) {
  if (stopped_) return 0;
  size_t n = 0;
  while (n < in.size() && put_output(in[n])) ++n;
  return n;
}

void LineDiscipline::echo(uint8_t c) {
  if (has(tio::echoctl) && control(c) && c != '\t' && c != '\n') {
    put_output('^');
    put_output(c ^ 0100);
    return;
  }
  put_output(c);
}

// ---- editing
// ---------------------------------------------------------------------------------------------------

void LineDiscipline::rub_out(uint8_t c) {
  if (!has(tio::echo)) return;
  if (!has(tio::echoe)) {
    echo(termios_.cc[tio::verase]);
    return;
  }
  if (c == '\t') {
    // Where the tab began: the column after all that stands before it in this line.
    unsigned before = 0;
    for (size_t i = canonical_; i < size_; ++i) {
      uint8_t x = cells_[(tail_ + i) % kInput].c;
      if (x == '\t')
        before = (before | 7) + 1;
      else if (control(x))
        before += has(tio::echoctl) ? 2 : 0;
      else if (!((termios_.iflag & tio::iutf8) && continuation(x)))
        ++before;
    }
    for (unsigned back = 8 - (before & 7); back > 0; --back) put_output('\b');
    return;
  }
  unsigned cells = control(c) ? (has(tio::echoctl) ? 2 : 0) : 1;
  while (cells-- > 0) {
    put_output('\b');
    put_output(' ');
    put_output('\b');
  }
}

void LineDiscipline::erase_one() {
  if (!editing()) return;
  uint8_t c = last();
  pop_last();
  while ((termios_.iflag & tio::iutf8) && continuation(c) && editing()) {
    c = last();
    pop_last();
  }
  rub_out(c);
}

void LineDiscipline::erase_word() {
  auto word = [](uint8_t c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           c >= 0x80;
  };
  while (editing() && !word(last())) erase_one();
  while (editing() && word(last())) erase_one();
}

void LineDiscipline::erase_line() {
  if (has(tio::echoke) && has(tio::echoe)) {
    while (editing()) erase_one();
    return;
  }
  size_ = canonical_;
  if (has(tio::echo)) echo(termios_.cc[tio::vkill]);
  if (has(tio::echok) && has(tio::echo)) put_output('\n');
}

// True if the character was used up.
bool LineDiscipline::special_canonical(uint8_t c) {
  if (is(c, tio::verase)) return erase_one(), true;
  if (is(c, tio::vkill)) return erase_line(), true;
  if (has(tio::iexten) && is(c, tio::vwerase)) return erase_word(), true;
  if (has(tio::iexten) && is(c, tio::vlnext)) {
    literal_next_ = true;
    if (has(tio::echo) && has(tio::echoctl)) {
      put_output('^');
      put_output('\b');
    }
    return true;
  }
  if (has(tio::iexten) && is(c, tio::vreprint) && has(tio::echo)) {
    echo(c);
    put_output('\n');
    for (size_t i = canonical_; i < size_; ++i) echo(cells_[(tail_ + i) % kInput].c);
    return true;
  }
  if (is(c, tio::veof)) return push_input(c, true, true), true;
  if (c == '\n') {
    if (has(tio::echo) || has(tio::echonl)) put_output('\n');
    return push_input(c, true, false), true;
  }
  if (is(c, tio::veol) || (has(tio::iexten) && is(c, tio::veol2))) {
    if (has(tio::echo)) echo(c);
    return push_input(c, true, false), true;
  }
  return false;
}

void LineDiscipline::push_input(uint8_t c, bool line_end, bool eof) {
  // One cell is kept for the end of the line.
  if (size_ >= kInput - (line_end ? 0 : 1)) {
    if (termios_.iflag & tio::imaxbel) put_output('\a');
    return;
  }
  cells_[(tail_ + size_) % kInput] = {c, line_end, eof};
  ++size_;
  if (line_end) {
    canonical_ = size_;
    ++lines_;
  }
}

void LineDiscipline::receive_byte(uint8_t c, uint64_t& signals) {
  if (termios_.iflag & tio::istrip) c &= 0x7f;
  if ((termios_.iflag & tio::iuclc) && has(tio::iexten) && c >= 'A' && c <= 'Z') c += 'a' - 'A';
  if (literal_next_) {
    literal_next_ = false;
    if (has(tio::echo)) echo(c);
    return push_input(c, false, false);
  }
  if (termios_.iflag & tio::ixon) {
    if (is(c, tio::vstart)) return void(stopped_ = false);
    if (is(c, tio::vstop)) return void(stopped_ = true);
    if (stopped_ && (termios_.iflag & tio::ixany)) stopped_ = false;
  }
  if (has(tio::isig)) {
    int signo = is(c, tio::vintr) ? kSigInt : is(c, tio::vquit) ? kSigQuit : is(c, tio::vsusp) ? kSigTstp : 0;
    if (signo) {
      if (!has(tio::noflsh)) {
        flush_input();
        flush_output();
      }
      stopped_ = false;
      if (has(tio::echo)) echo(c);
      signals |= uint64_t{1} << signo;
      return;
    }
  }
  if (c == '\r') {
    if (termios_.iflag & tio::igncr) return;
    if (termios_.iflag & tio::icrnl) c = '\n';
  } else if (c == '\n' && (termios_.iflag & tio::inlcr)) {
    c = '\r';
  }
  if (has(tio::icanon) && special_canonical(c)) return;
  if (has(tio::echo)) {
    if (c == '\n')
      put_output('\n');
    else
      echo(c);
  }
  push_input(c, false, false);
}

size_t LineDiscipline::receive(std::span<const uint8_t> in, uint64_t& signals) {
  size_t n = 0;
  for (uint8_t c : in) {
    // Raw input waits for room; a canonical line that is too long loses characters instead, as Linux does.
    if (!has(tio::icanon) && size_ >= kInput - 1) break;
    if (has(tio::icanon) && size_ >= kInput - 1 && lines_ > 0) break;
    receive_byte(c, signals);
    ++n;
  }
  return n;
}

// ---- reading
// ---------------------------------------------------------------------------------------------------

bool LineDiscipline::readable() const {
  if (has(tio::icanon)) return lines_ > 0;
  size_t need = termios_.cc[tio::vtime] ? 1 : termios_.cc[tio::vmin];
  return size_ > 0 && size_ >= (need ? need : 1);
}

size_t LineDiscipline::available() const {
  if (!has(tio::icanon)) return size_;
  size_t n = 0;
  for (size_t i = 0; i < canonical_; ++i) n += !cells_[(tail_ + i) % kInput].eof;
  return n;
}

size_t LineDiscipline::read(std::span<uint8_t> out, bool& eof) {
  eof = false;
  size_t n = 0;
  const bool lines = has(tio::icanon);
  while (n < out.size() && size_ > 0) {
    if (lines && canonical_ == 0) break;
    Cell cell = cells_[tail_];
    tail_ = (tail_ + 1) % kInput;
    --size_;
    if (canonical_ > 0) --canonical_;
    if (cell.line_end && lines_ > 0) --lines_;
    if (cell.eof && lines) {
      eof = n == 0;
      break;
    }
    out[n++] = cell.c;
    if (cell.line_end && lines) break;
  }
  // An EOF right behind a read that the line exactly filled belongs to that line.
  if (lines && n > 0 && n == out.size() && canonical_ > 0 && cells_[tail_].eof) {
    tail_ = (tail_ + 1) % kInput;
    --size_;
    --canonical_;
    --lines_;
  }
  return n;
}

}  // namespace runsc::fs
