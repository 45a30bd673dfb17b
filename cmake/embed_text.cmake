# Makes a C++ source of a text file: cmake -DTEXT=file -DSOURCE=file.cc -DNAMESPACE=a::b -DNAME=kName -P embed_text.cmake
# The source defines `const std::string_view NAME`.
file(READ ${TEXT} text)
string(FIND "${text}" ")embedded\"" clash)
if(NOT clash EQUAL -1)
  message(FATAL_ERROR "${TEXT} contains the end of the literal that it is put in")
endif()
file(WRITE ${SOURCE} "#include <string_view>

namespace ${NAMESPACE} {
extern const std::string_view ${NAME};
const std::string_view ${NAME} = R\"embedded(${text})embedded\";
}  // namespace ${NAMESPACE}
")
