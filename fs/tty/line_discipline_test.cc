#include "fs/tty/line_discipline.h"

#include <catch2/catch.hpp>
#include <string>

using namespace runsc;
using namespace runsc::fs;

namespace {

struct Terminal {
  LineDiscipline d;
  Terminal() { REQUIRE(d.init()); }
  uint64_t type(std::string_view text) {
    uint64_t signals = 0;
    d.receive({reinterpret_cast<const uint8_t*>(text.data()), text.size()}, signals);
    return signals;
  }
  std::string read(size_t room = 100) {
    std::string out(room, 0);
    bool eof;
    out.resize(d.read({reinterpret_cast<uint8_t*>(out.data()), room}, eof));
    if (eof) out = "<eof>";
    return out;
  }
  std::string shown() {
    std::string out(d.output().size(), 0);
    d.output().peek({reinterpret_cast<uint8_t*>(out.data()), out.size()});
    d.output().drop(out.size());
    return out;
  }
  void change(uint32_t clear, uint32_t set = 0) {
    Termios t = d.termios();
    t.lflag = (t.lflag & ~clear) | set;
    d.set_termios(t);
  }
};

}  // namespace

TEST_CASE("a line can be read once it is complete") {
  Terminal t;
  t.type("hel");
  CHECK_FALSE(t.d.readable());
  t.type("lo\rrest");
  CHECK(t.d.readable());
  CHECK(t.d.available() == 6);
  CHECK(t.read() == "hello\n");
  CHECK_FALSE(t.d.readable());
  CHECK(t.shown() == "hello\r\nrest");
}

TEST_CASE("a short read leaves the rest of the line") {
  Terminal t;
  t.type("abc\n");
  CHECK(t.read(2) == "ab");
  CHECK(t.read(2) == "c\n");
}

TEST_CASE("erase, word erase and kill edit the line") {
  Terminal t;
  t.type(
      "ab\x7f"
      "c\n");
  CHECK(t.read() == "ac\n");
  CHECK(t.shown() == "ab\b \bc\r\n");
  t.type(
      "one two\x17"
      "three\n");
  CHECK(t.read() == "one three\n");
  t.type(
      "gone\x15"
      "here\n");
  CHECK(t.read() == "here\n");
}

TEST_CASE("erase takes a whole character of UTF-8") {
  Terminal t;
  Termios io = t.d.termios();
  io.iflag |= tio::iutf8;
  t.d.set_termios(io);
  t.type("a\xc3\xa9\x7f\n");
  CHECK(t.read() == "a\n");
}

TEST_CASE("end of file ends a read and is not read") {
  Terminal t;
  t.type("\x04");
  CHECK(t.d.readable());
  CHECK(t.read() == "<eof>");
  t.type("abc\x04");
  CHECK(t.read() == "abc");
  CHECK_FALSE(t.d.readable());
}

TEST_CASE("special characters ask for signals and flush") {
  Terminal t;
  t.type("half a line");
  CHECK(t.type("\x03") == uint64_t{1} << 2);
  t.type("x\n");
  CHECK(t.read() == "x\n");
  CHECK(t.type("\x1c") == uint64_t{1} << 3);
  CHECK(t.type("\x1a") == uint64_t{1} << 20);
  t.change(tio::isig);
  CHECK(t.type("\x03\n") == 0);
  CHECK(t.read() == "\x03\n");
}

TEST_CASE("control characters are echoed with a caret") {
  Terminal t;
  t.type("\x01");
  CHECK(t.shown() == "^A");
  t.change(tio::echo);
  t.type("secret\n");
  CHECK(t.shown().empty());
  CHECK(t.read() == "\x01secret\n");
}

TEST_CASE("raw input is readable byte by byte, by VMIN") {
  Terminal t;
  t.change(tio::icanon | tio::echo | tio::isig);
  t.type("a");
  CHECK(t.read() == "a");
  Termios io = t.d.termios();
  io.cc[tio::vmin] = 3;
  t.d.set_termios(io);
  t.type("bc");
  CHECK_FALSE(t.d.readable());
  t.type("d");
  CHECK(t.d.readable());
  CHECK(t.read() == "bcd");
}

TEST_CASE("what was typed before a change of mode is not lost") {
  Terminal t;
  t.type("typed");
  t.change(tio::icanon);
  CHECK(t.read() == "typed");
  t.type("more");
  t.change(0, tio::icanon);
  CHECK(t.read() == "more");
}

TEST_CASE("output processing turns newlines and can be off") {
  Terminal t;
  CHECK(t.d.write({reinterpret_cast<const uint8_t*>("a\nb"), 3}) == 3);
  CHECK(t.shown() == "a\r\nb");
  Termios io = t.d.termios();
  io.oflag = 0;
  t.d.set_termios(io);
  CHECK(t.d.write({reinterpret_cast<const uint8_t*>("a\nb"), 3}) == 3);
  CHECK(t.shown() == "a\nb");
}

TEST_CASE("a full output queue takes what fits") {
  Terminal t;
  std::string big(LineDiscipline::kOutput + 100, 'x');
  CHECK(t.d.write({reinterpret_cast<const uint8_t*>(big.data()), big.size()}) == LineDiscipline::kOutput);
  CHECK(t.d.write({reinterpret_cast<const uint8_t*>("\n"), 1}) == 0);
}

TEST_CASE("^S stops output and ^Q lets it go on") {
  Terminal t;
  t.type("\x13");
  CHECK(t.d.write({reinterpret_cast<const uint8_t*>("a"), 1}) == 0);
  t.type("\x11");
  CHECK(t.d.write({reinterpret_cast<const uint8_t*>("a"), 1}) == 1);
}

TEST_CASE("an endless line never overflows and can still be ended") {
  Terminal t;
  std::string big(3 * LineDiscipline::kInput, 'y');
  t.type(big);
  t.type("\n");
  REQUIRE(t.d.readable());
  std::string line = t.read(2 * LineDiscipline::kInput);
  CHECK(line.size() == LineDiscipline::kInput);
  CHECK(line.back() == '\n');
}
