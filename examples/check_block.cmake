# Fails unless the file TEXT holds the file SOURCE, to the byte, in a block fenced by ```FENCE.

file(READ ${TEXT} text)
file(READ ${SOURCE} source)
string(FIND "${text}" "```${FENCE}\n${source}```\n" position)
if(position EQUAL -1)
  message(FATAL_ERROR "${TEXT} holds no \`\`\`${FENCE} block with the text of ${SOURCE}: copy the file into it")
endif()
