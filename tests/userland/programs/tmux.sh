# A terminal multiplexer driven from outside, with an editor in it.
set -e
export TERM=screen LANG=C.UTF-8
cd /tmp
tmux -f /dev/null new-session -d -x 80 -y 24 'env PS1="> " sh'
shows() {
  local i
  for ((i = 0; i < 2000; i++)); do
    if tmux capture-pane -p | grep -q "$1"; then return 0; fi
  done
  echo "never shown: $1"
  tmux capture-pane -p
  exit 1
}
shows '^>'
tmux send-keys 'echo $((6 * 7))' Enter && shows '^42$'
tmux send-keys 'stty size' Enter && shows '^2[34] 80$'
tmux split-window 'sh -c "seq 5; tty | cut -c1-9; read x"' && shows /dev/pts/
tmux list-panes -F '#{pane_index} #{pane_width}x#{pane_height}'
tmux kill-pane && tmux send-keys 'less /etc/passwd' Enter && shows '^root:'
tmux send-keys q && tmux send-keys 'sh -c "echo go; exec sleep 100"' Enter && shows '^go$' && tmux send-keys C-c && tmux send-keys 'echo st=$?' Enter && shows 'st=130'
tmux kill-server && echo ended
