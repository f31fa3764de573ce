# Headers as Doxygen is to see them: functions that the compiler writes are left out; those that every module of LibTorch
# has are said to be LibTorch's, where the header says nothing; holders of modules get a word.

# What follows a comment has its words: the comment waits in the hold space.
/^ *\/\/\//{
  h
  b
}
x
/^ *\/\/\//{
  s/.*//
  x
  b
}
x

s/^ .*[(].*= default;$//
s/^( +)((void pretty_print|void reset|void save|void load|void to|std::shared_ptr<torch::nn::Module> clone)\(.*)$/\1\/** As in torch::nn::Module. *\/ \2/
s/^TORCH_MODULE\((.*)\);/\/** A shared \1Impl, as LibTorch holds modules. *\/ &/
